import type { Member } from "./member.js";

/** Whom clients may be sent to now. */
export interface Serving {
  /** Those that are up; in a panic, others as well. */
  readonly usable: ReadonlySet<Member>;
  /** Why what was found out about some of them is ignored; undefined if it is not. */
  readonly panic: "all-aside" | "most-unhealthy" | undefined;
}

/**
 * Members that are up may be used. If of those of the priority that serves health checks found fault with more than the
 * part `panicThreshold`, where a dial would not have, they are mistaken more likely than not: then what they say is
 * ignored. Where nobody is up at all, everybody may be used.
 */
export function serving(members: readonly Member[], panicThreshold: number): Serving {
  const up = members.filter(({ aside }) => !aside);
  if (up.length === 0)
    return { usable: new Set(members), panic: members.length > 0 ? "all-aside" : undefined };
  const best = bestPriority(up);
  const tier = members.filter(({ endpoint }) => endpoint.priority === best);
  const deep = tier.filter(({ aside }) => aside?.deep);
  if (deep.length <= tier.length * panicThreshold) return { usable: new Set(up), panic: undefined };
  return { usable: new Set([...up, ...deep]), panic: "most-unhealthy" };
}

/** Of those whom a client has not tried, the best priority that may be used; if none may, the best of them all. */
export function bestTier(members: readonly Member[], { usable }: Serving): readonly Member[] {
  const good = members.filter(member => usable.has(member));
  const some = good.length > 0 ? good : members;
  const best = bestPriority(some);
  return some.filter(({ endpoint }) => endpoint.priority === best);
}

/** The lowest number, as of SRV records. */
function bestPriority(members: readonly Member[]): number {
  return members.reduce((lowest, { endpoint }) => Math.min(lowest, endpoint.priority), Infinity);
}
