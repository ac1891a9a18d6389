import type { Candidate } from "@gw/interface";
import type { Member } from "./member.js";

/**
 * What selectors choose from, made once for all clients that it holds for: to make one takes time that grows
 * with the number of endpoints, to choose from it need not.
 */
export class Offer {
  readonly members: readonly Member[];
  /** Frozen, since the next client is offered the same. */
  readonly candidates: readonly Candidate[];
  readonly #members: ReadonlyMap<unknown, Member>;

  constructor(members: readonly Member[]) {
    this.members = members;
    this.#members = new Map(members.map(member => [member.candidate, member]));
    this.candidates = Object.freeze(members.map(({ candidate }) => candidate));
  }

  /** Whose candidate was chosen; undefined if that is none of {@link Offer.candidates}. */
  memberOf(choice: unknown): Member | undefined {
    return this.#members.get(choice);
  }
}
