import type { PoolEntry } from "./entry.js";
import { type Choice, Roster } from "./offer.js";

/** What a selector chooses from. */
export interface Offer {
  readonly choice: Choice;
  /** Whether the member is one of those whose candidates are offered. */
  readonly includes: (member: PoolEntry) => boolean;
}

/** What was counted of a member when {@link Tiers.note} was last called for it. */
interface Counted {
  readonly up: boolean;
  /** Down for a reason that neither a dial nor clients have found. */
  readonly deep: boolean;
  readonly unhealthy: boolean;
  /** Whether the newest verdict of health checks on a member that is up was good. */
  readonly healthy: boolean | undefined;
}

/** The members of one priority. */
interface Tier {
  readonly priority: number;
  readonly index: number;
  readonly all: Roster;
  readonly up: Roster;
  /** Those that are up, and those that health checks alone have found to be down. */
  readonly connectable: Roster;
}

const none: readonly PoolEntry[] = Object.freeze([]);

/**
 * Keeps count of the members by priority and condition, so that neither a change of one of them nor the question which
 * of them a client may be sent to takes time that grows with their number.
 *
 * Members that are up may be used. If health checks have found more than the part `panicThreshold` of the best priority
 * that is up to be down, where neither a dial nor clients have, they are mistaken more likely than not: then what they
 * say is ignored there. Where no member is up, all may be used.
 */
export class Tiers {
  readonly #panicThreshold: number;
  readonly #counted = new Map<PoolEntry, Counted>();
  readonly #unhealthy = new Set<PoolEntry>();
  /** The best priority, which is the lowest number, first. */
  #tiers: readonly Tier[] = [];
  #byPriority: ReadonlyMap<number, Tier> = new Map();
  /** The index of the best priority that has a member up; the number of priorities if none has. */
  #best = 0;
  #up = 0;
  #judged = 0;
  #judgedHealthy = 0;
  #shared: Offer | undefined;

  constructor(panicThreshold: number) {
    this.#panicThreshold = panicThreshold;
  }

  /** Counts anew: these are all members, in this order. */
  replace(members: readonly PoolEntry[]): void {
    const priorities = [...new Set(members.map(({ endpoint }) => endpoint.priority))].sort((a, b) => a - b);
    this.#tiers = priorities.map((priority, index) => ({
      priority,
      index,
      all: new Roster(),
      up: new Roster(),
      connectable: new Roster(),
    }));
    this.#byPriority = new Map(this.#tiers.map(tier => [tier.priority, tier]));
    this.#counted.clear();
    this.#unhealthy.clear();
    this.#best = this.#tiers.length;
    this.#up = 0;
    this.#judged = 0;
    this.#judgedHealthy = 0;
    this.#shared = undefined;
    for (const member of members) {
      this.#tierOf(member).all.add(member);
      this.#counted.set(member, nothing);
      this.note(member);
    }
  }

  /** To be called whenever a member is marked up or down, or was judged by health checks. */
  note(member: PoolEntry): void {
    const before = this.#counted.get(member);
    if (!before) return;
    const now = count(member);
    const { index, up, connectable } = this.#tierOf(member);
    this.#counted.set(member, now);
    this.#judged += Number(now.healthy !== undefined) - Number(before.healthy !== undefined);
    this.#judgedHealthy += Number(now.healthy === true) - Number(before.healthy === true);
    if (now.unhealthy) this.#unhealthy.add(member);
    else this.#unhealthy.delete(member);
    change(connectable, member, before.up || before.deep, now.up || now.deep);
    if (now.up !== before.up) {
      change(up, member, before.up, now.up);
      this.#up += now.up ? 1 : -1;
      if (now.up) this.#best = Math.min(this.#best, index);
      while (this.#best < this.#tiers.length && this.#tiers[this.#best]?.up.length === 0) this.#best += 1;
    }
    this.#shared = undefined;
  }

  /** Why what was found out about some members is ignored; undefined if it is not. */
  get panic(): "all-down" | "most-unhealthy" | undefined {
    if (this.#counted.size === 0) return undefined;
    const best = this.#tiers[this.#best];
    if (!best) return "all-down";
    const deep = best.connectable.length - best.up.length;
    return deep > best.all.length * this.#panicThreshold ? "most-unhealthy" : undefined;
  }

  /** How many are up. */
  get up(): number {
    return this.#up;
  }

  /** Whether health checks have judged some of the members that are up, and each of those to be unhealthy. */
  get allJudgedUnhealthy(): boolean {
    return this.#judged > 0 && this.#judgedHealthy === 0;
  }

  /** Those that health checks have found to be down. */
  get unhealthy(): readonly PoolEntry[] {
    return [...this.#unhealthy];
  }

  /** Changes whenever {@link isUsable} may have changed for members that did not change themselves. */
  get mode(): string {
    const { panic } = this;
    return panic === "most-unhealthy" ? `${panic} ${this.#tiers[this.#best]?.priority}` : `${panic}`;
  }

  /** Whether clients may be sent to a member now. */
  isUsable(member: PoolEntry): boolean {
    const counted = this.#counted.get(member);
    if (!counted) return false;
    return counted.up || this.#usableOf(this.#tierOf(member), this.panic).includes(counted);
  }

  /** The members that a client is offered that has tried none. */
  get offered(): readonly PoolEntry[] {
    const tier = this.#tiers[this.#up === 0 ? 0 : this.#best];
    return tier ? this.#usableOf(tier, this.panic).roster.members : none;
  }

  /**
   * Of those that a client has not `tried`, the ones of the best priority that may be used; if none may, those of the
   * best priority of them all.
   */
  offer(tried: readonly PoolEntry[]): Offer {
    if (tried.length > 0) return this.#offerBut(new Set(tried));
    this.#shared ??= this.#offerBut(new Set());
    return this.#shared;
  }

  #offerBut(tried: ReadonlySet<PoolEntry>): Offer {
    const { panic } = this;
    const triedByTier = new Map<Tier, PoolEntry[]>();
    for (const member of tried) {
      if (!this.#counted.has(member)) continue;
      const tier = this.#tierOf(member);
      const others = triedByTier.get(tier);
      if (others) others.push(member);
      else triedByTier.set(tier, [member]);
    }
    const begin = this.#up === 0 ? 0 : this.#best;
    const usable = (tier: Tier): Usable => this.#usableOf(tier, panic);
    for (const [first, rosterOf] of [
      [begin, usable],
      [0, everyone],
    ] as const)
      for (let index = first; index < this.#tiers.length; index++) {
        const tier = this.#tiers[index] as Tier;
        const { roster, includes } = rosterOf(tier);
        if (roster.length === 0) continue;
        const without = (triedByTier.get(tier) ?? none).filter(member => includes(this.#countedOf(member)));
        if (roster.length === without.length) continue;
        return {
          choice: roster.without(without),
          includes: member => {
            const counted = this.#counted.get(member);
            return (
              counted !== undefined &&
              includes(counted) &&
              member.endpoint.priority === tier.priority &&
              !tried.has(member)
            );
          },
        };
      }
    return { choice: new Roster(), includes: () => false };
  }

  #usableOf(tier: Tier, panic: Tiers["panic"]): Usable {
    if (panic === "all-down") return everyone(tier);
    if (panic === "most-unhealthy" && tier.index === this.#best)
      return { roster: tier.connectable, includes: ({ up, deep }) => up || deep };
    return { roster: tier.up, includes: ({ up }) => up };
  }

  #tierOf({ endpoint }: PoolEntry): Tier {
    return this.#byPriority.get(endpoint.priority) as Tier;
  }

  #countedOf(member: PoolEntry): Counted {
    return this.#counted.get(member) ?? nothing;
  }
}

/** Members of a tier that clients may be sent to, and how to tell that a member of the tier is one of them. */
interface Usable {
  readonly roster: Roster;
  readonly includes: (counted: Counted) => boolean;
}

function everyone({ all }: Tier): Usable {
  return { roster: all, includes: () => true };
}

const nothing: Counted = { up: false, deep: false, unhealthy: false, healthy: undefined };

function count({ aside, verdict }: PoolEntry): Counted {
  return {
    up: aside === undefined,
    deep: aside?.deep === true && !aside.observed,
    unhealthy: aside?.unhealthy ?? false,
    healthy: aside || !verdict ? undefined : verdict.error === undefined,
  };
}

function change(roster: Roster, member: PoolEntry, before: boolean, now: boolean): void {
  if (before === now) return;
  if (now) roster.add(member);
  else roster.remove(member);
}
