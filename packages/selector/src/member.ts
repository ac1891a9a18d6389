import type { Candidate, Endpoint, GatewayError } from "@gw/interface";
import { type Link, LinkedList } from "./linked-list.js";

/** Why and since when an endpoint gets no connections. */
export interface Aside {
  /** On the pool's clock, in milliseconds. */
  readonly since: number;
  /** The newest failure. */
  readonly error: GatewayError;
}

/** A lease, to whose holder can be said that it must end. */
export interface Revocable extends Link {
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
  readonly dialling: LinkedList<Revocable> = new LinkedList();
  /** Leases that are connected. */
  readonly connected: LinkedList<Revocable> = new LinkedList();
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
    for (const dial of this.dialling.items()) dial.revoke(error);
  }
}
