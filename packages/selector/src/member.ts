import type { Candidate, Endpoint, GatewayError } from "@gw/interface";

/** Why and since when an endpoint gets no connections. */
export interface Aside {
  /** On the pool's clock, in milliseconds. */
  readonly since: number;
  /** The newest failure. */
  readonly error: GatewayError;
}

/** A dial that may be told to give up. */
export interface Dialling {
  revoke(error: GatewayError): void;
}

/** One endpoint and all that a pool knows about it. */
export class Member {
  endpoint: Endpoint;
  aside: Aside | undefined;
  removed = false;
  /** Leases that have not ended. */
  connections = 0;
  /** Those of them that are not connected yet. */
  readonly dialling: Set<Dialling> = new Set();
  /** Ends the wait for the next retry, or the retry that runs. */
  readonly retry: { cancel: () => void } = { cancel: () => {} };
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
