import type { Candidate } from "@gw/interface";
import type { Member } from "./member.js";

/**
 * What selectors choose from, made once for all clients that it holds for: to make one takes time that grows
 * with the number of endpoints, to choose from it need not.
 */
export class Offer {
  /** Frozen, since the next client is offered the same. */
  readonly candidates: readonly Candidate[];
  readonly #members: ReadonlyMap<unknown, Member>;

  constructor(members: readonly Member[]) {
    this.#members = new Map(members.map(member => [member.candidate, member]));
    this.candidates = Object.freeze(members.map(({ candidate }) => candidate));
  }

  /** Whose candidate was chosen; undefined if that is none of {@link Offer.candidates}. */
  memberOf(choice: unknown): Member | undefined {
    return this.#members.get(choice);
  }
}

/** Offers the best tier of those that are up; when none is, the best tier of what is set aside. */
export function offerOf(members: readonly Member[]): Offer {
  const up = members.filter(({ aside }) => !aside);
  return new Offer(bestTier(up.length > 0 ? up : members));
}

/** Those of the best SRV priority (the lowest number). */
function bestTier(members: readonly Member[]): readonly Member[] {
  const best = members.reduce((lowest, { endpoint }) => Math.min(lowest, endpoint.priority), Infinity);
  return members.filter(({ endpoint }) => endpoint.priority === best);
}
