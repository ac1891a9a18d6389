import type { Candidate, Endpoint, GatewayError } from "@gw/interface";

/** Why and since when an endpoint gets no connections. */
export interface Aside {
  /** On the pool's clock, in milliseconds. */
  readonly since: number;
  /** The newest failure. */
  readonly error: GatewayError;
}

/** A lease, to whose holder can be said that it must end. */
export interface Revocable {
  revoke(error: GatewayError): void;
}

/** One endpoint and all that a pool knows about it. */
export class Member {
  endpoint: Endpoint;
  aside: Aside | undefined;
  removed = false;
  /** The newest lease of the pool when a dial to this member last succeeded. */
  provenAt = 0;
  /** Leases that are not connected yet. */
  readonly dialling: Set<Revocable> = new Set();
  /** Leases that are connected. */
  readonly connected: Set<Revocable> = new Set();
  /** Ends the wait for the next retry, or the retry that runs. */
  readonly retry: { cancel: () => void } = { cancel: () => {} };
  /** Ends the waits after which connections are closed. */
  readonly farewell: { cancel: () => void } = { cancel: () => {} };
  /** What selectors see of this member: always current, and nothing that they could change. */
  readonly candidate: Candidate;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    const member = this;
    this.candidate = Object.freeze({
      get endpoint() {
        return member.endpoint;
      },
      get connections() {
        return member.connections;
      },
    });
  }

  /** Leases that have not ended. */
  get connections(): number {
    return this.dialling.size + this.connected.size;
  }

  /** Tells every dial in progress that it is in vain. */
  revokeDials(error: GatewayError): void {
    for (const dial of [...this.dialling]) dial.revoke(error);
  }
}

/** Those of the best SRV priority (the lowest number). */
export function bestTier(members: readonly Member[]): readonly Member[] {
  const best = members.reduce((lowest, { endpoint }) => Math.min(lowest, endpoint.priority), Infinity);
  return members.filter(({ endpoint }) => endpoint.priority === best);
}
