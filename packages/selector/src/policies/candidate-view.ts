import { type Candidate, type Endpoint, type Selector, sameEndpoint } from "@gw/interface";

/**
 * What a policy of this package chooses from. Other policies get an array; building one whenever an endpoint fails takes
 * time that grows with the number of endpoints, and few policies need it.
 */
export interface CandidateView {
  readonly length: number;
  at(index: number): Candidate | undefined;
  /** The index of the candidate for `endpoint`; -1 if there is none. */
  indexOf(endpoint: Endpoint): number;
  /** The sum of the weights. */
  readonly weight: number;
}

type ViewPick = (candidates: CandidateView) => Candidate | undefined;

const picks = new WeakMap<Selector, ViewPick>();

/** A selector that needs no array. */
export function viewing(pick: ViewPick): Selector {
  const selector: Selector = { pick: candidates => pick(viewOf(candidates)) };
  picks.set(selector, pick);
  return selector;
}

/** How `selector` picks from a view; undefined if it needs an array. */
export function viewPickOf(selector: Selector): ViewPick | undefined {
  return picks.get(selector);
}

export function viewOf(candidates: readonly Candidate[]): CandidateView {
  return {
    length: candidates.length,
    at: index => candidates[index],
    indexOf: endpoint => candidates.findIndex(one => sameEndpoint(one.endpoint, endpoint)),
    get weight() {
      return candidates.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
    },
  };
}
