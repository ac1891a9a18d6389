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
  /** Whether `endpoint`, which was a candidate once, is no endpoint any more; false if that is not known. */
  hasLeft(endpoint: Endpoint): boolean;
}

type ViewChoice = (candidates: CandidateView) => Candidate | undefined;

/** `Selector`, from views. */
interface ViewSelector {
  readonly pick: ViewChoice;
  readonly target?: ViewChoice;
}

const viewers = new WeakMap<Selector, ViewSelector>();

/** A selector that needs no array. */
export function viewing(pick: ViewChoice, target?: ViewChoice, targetRate?: number): Selector {
  const selector: Selector = {
    pick: candidates => pick(viewOf(candidates)),
    ...(target && { target: candidates => target(viewOf(candidates)) }),
    ...(targetRate !== undefined && { targetRate }),
  };
  viewers.set(selector, { pick, ...(target && { target }) });
  return selector;
}

/** How `selector` chooses from views; undefined if it needs arrays. */
export function viewSelectorOf(selector: Selector): ViewSelector | undefined {
  return viewers.get(selector);
}

export function viewOf(candidates: readonly Candidate[]): CandidateView {
  return {
    length: candidates.length,
    at: index => candidates[index],
    indexOf: endpoint => candidates.findIndex(one => sameEndpoint(one.endpoint, endpoint)),
    get weight() {
      return candidates.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
    },
    hasLeft: () => false,
  };
}

/** The candidates of a view, as an array. */
export function itemsOf(view: CandidateView): readonly Candidate[] {
  return Array.from({ length: view.length }, (_, index) => view.at(index) as Candidate);
}
