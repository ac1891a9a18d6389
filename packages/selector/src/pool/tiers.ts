import type { PoolEntry } from "./entry.js";
import { type Offer, Roster } from "./offer.js";

/** What was counted of an entry at the last {@link Tiers.refresh}. */
interface Counted {
  readonly up: boolean;
  /** It is down, accepts connections, and neither a dial nor clients have confirmed that it fails. */
  readonly doubtful: boolean;
  readonly unhealthy: boolean;
  /** Whether the newest verdict on an entry that is up was healthy. */
  readonly healthy: boolean | undefined;
}

/** The entries of one priority. */
interface Tier {
  readonly priority: number;
  readonly index: number;
  readonly all: Roster;
  readonly up: Roster;
  /** Those that are up, and those that health checks alone have marked down. */
  readonly upOrDoubtful: Roster;
  /** Those that are up, with a newest verdict that is healthy. */
  readonly healthy: Roster;
}

const none: readonly PoolEntry[] = Object.freeze([]);

/**
 * The entries by priority and condition, counted so that a change of one, or the question which of them a client may be
 * sent to, takes no time that grows with their number.
 *
 * Entries that are up are usable. Where health checks alone have marked down more than the part `panicThreshold` of the
 * best priority that has an entry up, the checks are more likely to be wrong: then their verdicts are ignored there.
 * Where no entry is up, all are usable.
 */
export class Tiers {
  readonly #panicThreshold: number;
  readonly #counted = new Map<PoolEntry, Counted>();
  readonly #unhealthy = new Set<PoolEntry>();
  /** The best priority, which is the lowest number, first. */
  #tiers: readonly Tier[] = [];
  #byPriority: ReadonlyMap<number, Tier> = new Map();
  /** The index of the best priority that has an entry up; the number of priorities if none has. */
  #best = 0;
  #up = 0;
  #checked = 0;
  #checkedHealthy = 0;
  #offerToAll: Offer | undefined;

  constructor(panicThreshold: number) {
    this.#panicThreshold = panicThreshold;
  }

  /** Counts from scratch: these are all entries, in this order. */
  replace(entries: readonly PoolEntry[]): void {
    const priorities = [...new Set(entries.map(({ endpoint }) => endpoint.priority))].sort((a, b) => a - b);
    this.#tiers = priorities.map((priority, index) => ({
      priority,
      index,
      all: new Roster(),
      up: new Roster(),
      upOrDoubtful: new Roster(),
      healthy: new Roster(),
    }));
    this.#byPriority = new Map(this.#tiers.map(tier => [tier.priority, tier]));
    this.#counted.clear();
    this.#unhealthy.clear();
    this.#best = this.#tiers.length;
    this.#up = 0;
    this.#checked = 0;
    this.#checkedHealthy = 0;
    this.#offerToAll = undefined;
    for (const entry of entries) {
      this.#tierOf(entry).all.add(entry);
      this.#counted.set(entry, nothing);
      this.refresh(entry);
    }
  }

  /** To be called after each change of the state, or of the verdict, of an entry. */
  refresh(entry: PoolEntry): void {
    const before = this.#counted.get(entry);
    if (!before) return;
    const now = count(entry);
    const { index, up, upOrDoubtful, healthy } = this.#tierOf(entry);
    this.#counted.set(entry, now);
    this.#checked += Number(now.healthy !== undefined) - Number(before.healthy !== undefined);
    this.#checkedHealthy += Number(now.healthy === true) - Number(before.healthy === true);
    if (now.unhealthy) this.#unhealthy.add(entry);
    else this.#unhealthy.delete(entry);
    change(upOrDoubtful, entry, before.up || before.doubtful, now.up || now.doubtful);
    change(healthy, entry, before.healthy === true, now.healthy === true);
    if (now.up !== before.up) {
      change(up, entry, before.up, now.up);
      this.#up += now.up ? 1 : -1;
      if (now.up) this.#best = Math.min(this.#best, index);
      while (this.#best < this.#tiers.length && this.#tiers[this.#best]?.up.length === 0) this.#best += 1;
    }
    this.#offerToAll = undefined;
  }

  /** Why failures or verdicts are ignored; undefined if they are not. */
  get panic(): "all-down" | "most-unhealthy" | undefined {
    if (this.#counted.size === 0) return undefined;
    const best = this.#tiers[this.#best];
    if (!best) return "all-down";
    const doubtful = best.upOrDoubtful.length - best.up.length;
    return doubtful > best.all.length * this.#panicThreshold ? "most-unhealthy" : undefined;
  }

  /** How many are up. */
  get up(): number {
    return this.#up;
  }

  /** Whether there are verdicts on entries that are up, and none of them is healthy. */
  get allCheckedUnhealthy(): boolean {
    return this.#checked > 0 && this.#checkedHealthy === 0;
  }

  /** Those that a health check has marked down. */
  get unhealthy(): readonly PoolEntry[] {
    return [...this.#unhealthy];
  }

  /** Differs whenever {@link isUsable} may have changed for entries that did not change themselves. */
  get mode(): string {
    const { panic } = this;
    return panic === "most-unhealthy" ? `${panic} ${this.#tiers[this.#best]?.priority}` : `${panic}`;
  }

  /** Whether clients may be sent to `entry` now. */
  isUsable(entry: PoolEntry): boolean {
    const counted = this.#counted.get(entry);
    if (!counted) return false;
    return counted.up || this.#usableOf(this.#tierOf(entry), this.panic).includes(counted);
  }

  /** The entries that are offered to a client that has tried none. */
  get offered(): readonly PoolEntry[] {
    const tier = this.#tiers[this.#up === 0 ? 0 : this.#best];
    return tier ? this.#usableOf(tier, this.panic).roster.entries : none;
  }

  /** Those of the priority of `entry` that are up, with a newest verdict that is healthy. */
  healthyBeside(entry: PoolEntry): readonly PoolEntry[] {
    return this.#tierOf(entry).healthy.entries;
  }

  /**
   * Of those that a client has not `tried`, the ones of the best priority that may be used; if none may, those of the
   * best priority of them all.
   *
   * @param isFailover whether an endpoint has just failed: then those that are known to be healthy come before those of
   *   which nothing is known
   */
  offer(tried: readonly PoolEntry[], isFailover: boolean): Offer {
    if (tried.length > 0 || isFailover) return this.#offerBut(new Set(tried), isFailover);
    this.#offerToAll ??= this.#offerBut(new Set(), false);
    return this.#offerToAll;
  }

  #offerBut(tried: ReadonlySet<PoolEntry>, isFailover: boolean): Offer {
    const { panic } = this;
    const triedByTier = new Map<Tier, PoolEntry[]>();
    for (const entry of tried) {
      if (!this.#counted.has(entry)) continue;
      const tier = this.#tierOf(entry);
      const others = triedByTier.get(tier);
      if (others) others.push(entry);
      else triedByTier.set(tier, [entry]);
    }
    const begin = this.#up === 0 ? 0 : this.#best;
    const usable = (tier: Tier): Usable => this.#usableOf(tier, panic);
    for (const [first, kinds] of [
      [begin, isFailover ? [healthy, usable] : [usable]],
      [0, [everyone]],
    ] as const)
      for (let index = first; index < this.#tiers.length; index++)
        for (const rosterOf of kinds) {
          const tier = this.#tiers[index] as Tier;
          const { roster, includes } = rosterOf(tier);
          if (roster.length === 0) continue;
          const without = (triedByTier.get(tier) ?? none).filter(entry => includes(this.#countedOf(entry)));
          if (roster.length === without.length) continue;
          return {
            choice: roster.without(without),
            includes: entry => {
              const counted = this.#counted.get(entry);
              return (
                counted !== undefined &&
                includes(counted) &&
                entry.endpoint.priority === tier.priority &&
                !tried.has(entry)
              );
            },
          };
        }
    return { choice: new Roster(), includes: () => false };
  }

  #usableOf(tier: Tier, panic: Tiers["panic"]): Usable {
    if (panic === "all-down") return everyone(tier);
    if (panic === "most-unhealthy" && tier.index === this.#best)
      return { roster: tier.upOrDoubtful, includes: ({ up, doubtful }) => up || doubtful };
    return { roster: tier.up, includes: ({ up }) => up };
  }

  #tierOf({ endpoint }: PoolEntry): Tier {
    return this.#byPriority.get(endpoint.priority) as Tier;
  }

  #countedOf(entry: PoolEntry): Counted {
    return this.#counted.get(entry) ?? nothing;
  }
}

/** The entries of a tier that clients may be sent to. */
interface Usable {
  readonly roster: Roster;
  readonly includes: (counted: Counted) => boolean;
}

function everyone({ all }: Tier): Usable {
  return { roster: all, includes: () => true };
}

function healthy({ healthy }: Tier): Usable {
  return { roster: healthy, includes: ({ healthy }) => healthy === true };
}

const nothing: Counted = { up: false, doubtful: false, unhealthy: false, healthy: undefined };

function count({ isUp, down, verdict }: PoolEntry): Counted {
  return {
    up: isUp,
    doubtful: down?.connectable === true && !down.confirmed,
    unhealthy: down?.cause === "check",
    healthy: isUp && verdict ? verdict.error === undefined : undefined,
  };
}

function change(roster: Roster, entry: PoolEntry, before: boolean, now: boolean): void {
  if (before === now) return;
  if (now) roster.add(entry);
  else roster.remove(entry);
}
