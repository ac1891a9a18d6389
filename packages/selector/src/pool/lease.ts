import type { Endpoint, GatewayError, Lease, LeaseRequest } from "@gw/interface";
import type { PoolEntry, RevocableLease } from "./entry.js";
import type { Link } from "./linked-list.js";
import { soonMs } from "./unanswered.js";

/** What a lease reports to its pool, which has the clock for both. */
export interface LeaseEvents {
  /** Milliseconds, of the pool's clock. */
  now(): number;
  connected(entry: PoolEntry): void;
  stalled(entry: PoolEntry): void;
  abandoned(entry: PoolEntry): void;
  /** Before `ended`, where neither this pool nor a failure ended a connection that had been open for {@link lateMs} or longer. */
  endedLate(entry: PoolEntry): void;
  /** `order` is that of the lease. */
  failed(entry: PoolEntry, error: GatewayError, order: number): void;
  /**
   * After `failed`, and after a release; with `failure` where the endpoint's side of a connection was lost. `answered`
   * is false where the endpoint ended the connection soon, before it sent a byte.
   */
  ended(entry: PoolEntry, failure: GatewayError | undefined, answered: boolean | undefined): void;
}

/** Counts a connection on `entry` from now until the lease ends. `order` is higher than that of older leases. */
export function createLease(
  entry: PoolEntry,
  order: number,
  events: LeaseEvents,
  request: LeaseRequest,
): Lease {
  return new PoolLease(entry, order, events, request);
}

/** Connections that were open for this long, in milliseconds, are few, and most of them are watches. */
const lateMs = 10_000;

/** How many dials are revoked without other events in between. */
const revokedAtOnce = 32;

/**
 * Revokes every dial to `entry` that is in progress. Each is followed by another dial; where hundreds wait for an endpoint
 * that hangs, other events come in between.
 */
export function revokeDials(entry: PoolEntry, error: GatewayError): void {
  const dials = entry.dialling.items();
  const revokeFrom = (first: number): void => {
    for (const dial of dials.slice(first, first + revokedAtOnce)) if (dial.isDialling) dial.revoke(error);
    const next = first + revokedAtOnce;
    if (next < dials.length) setImmediate(() => !entry.isUp && revokeFrom(next));
  };
  revokeFrom(0);
}

/** A time as a small integer, which takes no memory of its own as a fraction does. */
export function tenthsOfSeconds(ms: number): number {
  return Math.floor(ms / 100);
}

/** There are as many leases as connections, so each field counts. */
class PoolLease implements Lease, RevocableLease {
  previous: Link = this;
  next: Link = this;
  connectedAt = 0;
  readonly #entry: PoolEntry;
  readonly #order: number;
  readonly #events: LeaseEvents;
  /** Undefined once it was revoked or has ended. */
  #request: LeaseRequest | undefined;
  #state: "dialling" | "connected" | "ended" = "dialling";

  constructor(entry: PoolEntry, order: number, events: LeaseEvents, request: LeaseRequest) {
    this.#entry = entry;
    this.#order = order;
    this.#events = events;
    this.#request = request;
    entry.dialling.add(this);
  }

  get endpoint(): Endpoint {
    return this.#entry.endpoint;
  }

  get isDialling(): boolean {
    return this.#state === "dialling";
  }

  get answered(): boolean | undefined {
    return this.#request?.answered;
  }

  get bytesFromBackend(): number {
    return this.#request?.bytesFromBackend ?? 0;
  }

  get answeredMs(): number | undefined {
    return this.#request?.answeredMs;
  }

  get waitingMs(): number | undefined {
    return this.#request?.waitingMs;
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
    this.connectedAt = tenthsOfSeconds(this.#events.now());
    this.#entry.dialling.remove(this);
    this.#entry.connected.add(this);
    this.#events.connected(this.#entry);
  }

  stalled(): void {
    if (this.#state === "connected") this.#events.stalled(this.#entry);
  }

  abandoned(): void {
    if (this.#state === "connected") this.#events.abandoned(this.#entry);
  }

  failed(error: GatewayError): void {
    if (this.#state !== "dialling") return;
    this.#end();
    this.#events.failed(this.#entry, error, this.#order);
    this.#events.ended(this.#entry, undefined, undefined);
  }

  released(failure?: GatewayError, answered?: boolean): void {
    if (this.#state === "ended") return;
    const [wasConnected, wasRevoked] = [this.#state === "connected", this.#request === undefined];
    this.#end();
    const openMs = wasConnected ? this.#events.now() - this.connectedAt * 100 : 0;
    if (openMs >= lateMs && !failure && !wasRevoked) this.#events.endedLate(this.#entry);
    const isKnown = wasConnected && (answered || openMs <= soonMs);
    this.#events.ended(this.#entry, wasConnected ? failure : undefined, isKnown ? answered : undefined);
  }

  #end(): void {
    const { dialling, connected } = this.#entry;
    if (this.#state === "connected") this.#entry.endedBytes += this.bytesFromBackend;
    (this.#state === "dialling" ? dialling : connected).remove(this);
    this.#state = "ended";
    this.#request = undefined;
  }
}
