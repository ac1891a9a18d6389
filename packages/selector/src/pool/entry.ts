import type { Candidate, Endpoint, EndpointStatus, GatewayError, Verdict } from "@gw/interface";
import { Backoff } from "./backoff.js";
import { type Link, LinkedList } from "./linked-list.js";
import { Unanswered } from "./unanswered.js";

/** Why and since when an endpoint gets no connections. Times are in milliseconds on the pool's clock. */
export interface Aside {
  readonly since: number;
  /** The newest failure. */
  readonly error: GatewayError;
  /** When it is tried again, or was if that is under way. */
  readonly retryAt: number;
  /** Health checks found it out: what is connected to it may hang. */
  readonly unhealthy: boolean;
  /** No dial can tell whether it is over, since the endpoint accepts connections all the same. */
  readonly deep: boolean;
  /** Connections of clients have shown it, so that it does not count as a mistake of health checks. */
  readonly observed: boolean;
}

/** A lease, to whose holder can be said that it must end. */
export interface Revocable extends Link {
  /** When it was connected, in tenths of a second on the pool's clock. */
  readonly connectedAt: number;
  /** Whether the endpoint has sent a byte on it; undefined where that is not known. */
  readonly answered: boolean | undefined;
  /** Whether it is neither connected nor over. */
  readonly isDialling: boolean;
  /** Tells whether it was the first time. */
  revoke(error: GatewayError): boolean;
}

/** What selectors see of a member: always current, and nothing that they could change. */
class MemberCandidate implements Candidate {
  readonly #member: PoolEntry;

  constructor(member: PoolEntry) {
    this.#member = member;
    Object.freeze(this);
  }

  /** The member whose candidate `choice` is; undefined if it is none of ours. */
  static memberOf(choice: unknown): PoolEntry | undefined {
    return typeof choice === "object" && choice !== null && #member in choice ? choice.#member : undefined;
  }

  get endpoint(): Endpoint {
    return this.#member.endpoint;
  }

  get connections(): number {
    return this.#member.connections;
  }
}

/** The member whose candidate `choice` is; undefined if it is no candidate of a pool's. */
export const memberOf: (choice: unknown) => PoolEntry | undefined = MemberCandidate.memberOf;

const byEndpoint = new WeakMap<Endpoint, PoolEntry>();

/** The member that has, or had, this very endpoint object; undefined if there is none. */
export function memberAt(endpoint: Endpoint): PoolEntry | undefined {
  return byEndpoint.get(endpoint);
}

/** How many dials are revoked without other events in between. */
const revokedAtOnce = 32;

/** One endpoint and all that a pool knows about it. */
export class PoolEntry {
  #endpoint: Endpoint;
  /** Where it is in the set of endpoints; orders members. */
  position = 0;
  aside: Aside | undefined;
  removed = false;
  /** Since when it is up, or removed, on the pool's clock. */
  since: number;
  /** The newest verdict of health checks, while it is up. */
  verdict: Verdict | undefined;
  /** The newest lease of the pool when a dial to this member last succeeded. */
  provenAt = 0;
  /** Leases that are not connected yet. */
  readonly dialling: LinkedList<Revocable> = new LinkedList();
  /** Leases that are connected, the oldest first. */
  readonly connected: LinkedList<Revocable> = new LinkedList();
  readonly backoff: Backoff = new Backoff();
  readonly unanswered: Unanswered = new Unanswered();
  /** Ends the wait for the next retry, or the retry that runs. */
  readonly retry: { cancel: () => void } = { cancel: () => {} };
  /** Ends the waits after which connections are closed; `said` while there are such. */
  readonly farewell: { cancel: () => void; said: boolean } = { cancel: () => {}, said: false };
  readonly candidate: Candidate = new MemberCandidate(this);

  constructor(endpoint: Endpoint, since: number) {
    this.#endpoint = endpoint;
    byEndpoint.set(endpoint, this);
    this.since = since;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  set endpoint(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    byEndpoint.set(endpoint, this);
  }

  /** Leases that have not ended. */
  get connections(): number {
    return this.dialling.size + this.connected.size;
  }

  /**
   * Tells every dial in progress that it is in vain. Each is followed by another dial; where hundreds wait for an endpoint
   * that hangs, other events come in between.
   */
  revokeDials(error: GatewayError): void {
    const dials = this.dialling.items();
    const revokeFrom = (first: number): void => {
      for (const dial of dials.slice(first, first + revokedAtOnce)) if (dial.isDialling) dial.revoke(error);
      const next = first + revokedAtOnce;
      if (next < dials.length) setImmediate(() => (this.aside || this.removed) && revokeFrom(next));
    };
    revokeFrom(0);
  }
}

/** How `member` is doing. `current` is whom the newest connection went to. */
export function statusOf(member: PoolEntry, current: PoolEntry | undefined): EndpointStatus {
  const { endpoint, aside, connections, removed, verdict } = member;
  return {
    endpoint,
    state: removed ? "draining" : aside ? "down" : "up",
    unhealthy: aside?.unhealthy ?? false,
    inUse: !removed && member === current,
    connections,
    since: removed ? member.since : (aside?.since ?? member.since),
    ...(aside && !removed && { error: aside.error, retryAt: aside.retryAt }),
    ...(verdict && { verdict }),
  };
}
