import type { Endpoint, GatewayError, Lease, LeaseRequest } from "@gw/interface";
import type { PoolEntry, Revocable } from "./entry.js";
import type { Link } from "./linked-list.js";
import { soonMs } from "./unanswered.js";

/** What a lease reports to its pool. */
export interface Outcomes {
  /** Milliseconds, of the pool's clock. */
  now(): number;
  connected(member: PoolEntry): void;
  /** `order` is the lease's own. */
  failed(member: PoolEntry, error: GatewayError, order: number): void;
  /**
   * After `failed`, and after a release; with `failure` where the endpoint's side of a connection was lost. `answered`
   * is false where the endpoint ended the connection soon, before it sent a byte.
   */
  ended(member: PoolEntry, failure: GatewayError | undefined, answered: boolean | undefined): void;
}

/** Counts a connection on `member` from now until the lease ends. `order` tells which leases are older. */
export function lease(member: PoolEntry, order: number, outcomes: Outcomes, request: LeaseRequest): Lease {
  return new MemberLease(member, order, outcomes, request);
}

/** A small integer for longer than a machine runs, which takes no memory of its own as a fraction does. */
export function tenthsOfSeconds(ms: number): number {
  return Math.floor(ms / 100);
}

/** There are as many as connections, so each field counts. */
class MemberLease implements Lease, Revocable {
  previous: Link = this;
  next: Link = this;
  connectedAt = 0;
  readonly #member: PoolEntry;
  readonly #order: number;
  readonly #outcomes: Outcomes;
  /** Undefined when it was told of a revocation, or will never be. */
  #request: LeaseRequest | undefined;
  #state: "dialling" | "connected" | "ended" = "dialling";

  constructor(member: PoolEntry, order: number, outcomes: Outcomes, request: LeaseRequest) {
    this.#member = member;
    this.#order = order;
    this.#outcomes = outcomes;
    this.#request = request;
    member.dialling.add(this);
  }

  get endpoint(): Endpoint {
    return this.#member.endpoint;
  }

  get isDialling(): boolean {
    return this.#state === "dialling";
  }

  get answered(): boolean | undefined {
    return this.#request?.answered;
  }

  revoke(error: GatewayError): boolean {
    const request = this.#request;
    this.#request = undefined;
    request?.onRevoked(error);
    return request !== undefined;
  }

  connected(): void {
    if (this.#state !== "dialling") return;
    this.#state = "connected";
    this.connectedAt = tenthsOfSeconds(this.#outcomes.now());
    this.#member.dialling.remove(this);
    this.#member.connected.add(this);
    this.#outcomes.connected(this.#member);
  }

  failed(error: GatewayError): void {
    if (this.#state !== "dialling") return;
    this.#end();
    this.#outcomes.failed(this.#member, error, this.#order);
    this.#outcomes.ended(this.#member, undefined, undefined);
  }

  released(failure?: GatewayError, answered?: boolean): void {
    if (this.#state === "ended") return;
    const wasConnected = this.#state === "connected";
    this.#end();
    if (!wasConnected) this.#outcomes.ended(this.#member, undefined, undefined);
    else this.#outcomes.ended(this.#member, failure, answered || this.#isYoung() ? answered : undefined);
  }

  #isYoung(): boolean {
    return this.#outcomes.now() - this.connectedAt * 100 <= soonMs;
  }

  #end(): void {
    const { dialling, connected } = this.#member;
    (this.#state === "dialling" ? dialling : connected).remove(this);
    this.#state = "ended";
    this.#request = undefined;
  }
}
