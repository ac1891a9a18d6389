import {
  type Clock,
  createListeners,
  type EarlyPick,
  type Endpoint,
  formatAddress,
  type GatewayError,
  type Lease,
  type LeaseRequest,
} from "@gw/interface";
import type { Entries } from "./entries.js";
import type { PoolEntry } from "./entry.js";
import { type LeaseEvents, revokeDials } from "./lease.js";
import type { Drain } from "./moving/drain.js";
import type { Tiers } from "./tiers.js";

/**
 * A client whose endpoint was marked down or removed before it was known is given so long to be connected, in milliseconds:
 * it may be already, and its dial must not be revoked then.
 */
const lateMs = 50;

/** What early picks need of their pool. */
export interface EarlyPicksContext {
  readonly entries: Entries;
  readonly tiers: Tiers;
  readonly drain: Drain;
  readonly clock: Clock;
  /** Those of a lease whose client came in time. */
  readonly events: LeaseEvents;
  readonly lease: (entry: PoolEntry, request: LeaseRequest, events: LeaseEvents) => Lease;
}

/**
 * Picks for clients that have not come yet. They count as no connections. When picks become void, some may have their
 * clients already, who were not reported: the leases of these are late, and what was done meanwhile to the leases of their
 * endpoint is done to them as well.
 */
export class EarlyPicks {
  readonly #context: EarlyPicksContext;
  readonly #listeners = createListeners("the pool");
  /** Entries with late leases that are not settled. */
  readonly #late = new Set<PoolEntry>();
  /** Why endpoints are not in the newest set, by address, where that is not just discovery's. */
  #rejections: ReadonlyMap<string, GatewayError> = new Map();
  readonly #lateEvents: LeaseEvents;

  constructor(context: EarlyPicksContext) {
    const { tiers, drain, events } = context;
    this.#context = context;
    this.#lateEvents = {
      ...events,
      // That it is connected is no news of an endpoint that was marked down since.
      connected: entry => {
        if (entry.down && !tiers.isUsable(entry)) drain.assess(entry, false);
        else events.connected(entry);
      },
    };
  }

  /** A pick of `entry`. */
  of(entry: PoolEntry): EarlyPick {
    return new EntryPick(entry, this.#lease);
  }

  /** Calls `listener` when picks become void; see `Pool.onPicksVoid`. */
  onVoid(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** The next client might be decided about in another way than those that picks were made for. */
  invalidate(): void {
    this.#listeners.call();
  }

  /** The same, because the set changes: `rejections` says why endpoints are not in it, by address. */
  setChanges(rejections: ReadonlyMap<string, GatewayError>): void {
    this.#rejections = rejections;
    this.invalidate();
  }

  readonly #lease = (entry: PoolEntry, request: LeaseRequest): Lease => {
    const { entries, tiers, clock, events, lease } = this.#context;
    if (tiers.isUsable(entry)) return lease(entry, request, events);
    const late = lease(entry, request, this.#lateEvents);
    if (entry.isDraining) entries.leaseBegan(entry);
    if (this.#late.size === 0) clock.after(lateMs, () => this.#settle());
    this.#late.add(entry);
    return late;
  };

  /** Does to late leases what was done to those that were known. */
  #settle(): void {
    const { tiers, drain } = this.#context;
    for (const entry of this.#late)
      if (entry.isDraining) drain.removed(entry, this.#rejections.get(formatAddress(entry.endpoint)));
      else if (entry.down && !tiers.isUsable(entry)) revokeDials(entry, entry.down.error);
    this.#late.clear();
  }
}

/** There is one for each client, so it is small. */
class EntryPick implements EarlyPick {
  readonly #entry: PoolEntry;
  readonly #lease: (entry: PoolEntry, request: LeaseRequest) => Lease;

  constructor(entry: PoolEntry, lease: (entry: PoolEntry, request: LeaseRequest) => Lease) {
    this.#entry = entry;
    this.#lease = lease;
  }

  get endpoint(): Endpoint {
    return this.#entry.endpoint;
  }

  lease(request: LeaseRequest): Lease {
    return this.#lease(this.#entry, request);
  }
}
