import type { Endpoint, GatewayError, Lease } from "@gw/interface";
import type { Member, Revocable } from "./member.js";

/** What a lease reports to its pool. */
export interface Outcomes {
  connected(member: Member): void;
  /** `order` is the lease's own. */
  failed(member: Member, error: GatewayError, order: number): void;
  /** After `failed`, and after a release. */
  ended(member: Member): void;
}

/** Counts a connection on `member` from now until the lease ends. `order` tells which leases are older. */
export function lease(
  member: Member,
  order: number,
  outcomes: Outcomes,
  onRevoked: (error: GatewayError) => void,
): Lease {
  return new MemberLease(member, order, outcomes, onRevoked);
}

class MemberLease implements Lease, Revocable {
  readonly endpoint: Endpoint;
  readonly #member: Member;
  readonly #order: number;
  readonly #outcomes: Outcomes;
  readonly #onRevoked: (error: GatewayError) => void;
  #revoked = false;
  #state: "dialling" | "connected" | "ended" = "dialling";

  constructor(member: Member, order: number, outcomes: Outcomes, onRevoked: (error: GatewayError) => void) {
    this.endpoint = member.endpoint;
    this.#member = member;
    this.#order = order;
    this.#outcomes = outcomes;
    this.#onRevoked = onRevoked;
    member.dialling.add(this);
  }

  revoke(error: GatewayError): void {
    if (this.#revoked || this.#state === "ended") return;
    this.#revoked = true;
    this.#onRevoked(error);
  }

  connected(): void {
    if (this.#state !== "dialling") return;
    this.#state = "connected";
    this.#member.dialling.delete(this);
    this.#member.connected.add(this);
    this.#outcomes.connected(this.#member);
  }

  failed(error: GatewayError): void {
    if (this.#state !== "dialling") return;
    this.#end();
    this.#outcomes.failed(this.#member, error, this.#order);
    this.#outcomes.ended(this.#member);
  }

  released(): void {
    if (this.#state === "ended") return;
    this.#end();
    this.#outcomes.ended(this.#member);
  }

  #end(): void {
    this.#state = "ended";
    this.#member.dialling.delete(this);
    this.#member.connected.delete(this);
  }
}
