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

/** For `picksAhead`: picks depend on nothing but the candidates and earlier picks. */
export const always = (): boolean => true;

type ViewChoice = (candidates: CandidateView) => Candidate | undefined;
type ArrayChoice = Selector["pick"];

/** The rest of a selector. */
interface ViewingOptions {
  readonly target?: ViewChoice;
  readonly targetRate?: number;
  readonly picksAhead?: () => boolean;
}

/**
 * The functions of policies that choose from arrays, with those that choose from views. A process may have several copies
 * of this package, such as the program's and one that a selector of its user imports; they share this map. Its key has the
 * version of {@link CandidateView}.
 */
const key: unique symbol = Symbol.for("@gw/selector: choices from CandidateView 1");
const shared = globalThis as { [key]?: WeakMap<ArrayChoice, ViewChoice> };
shared[key] ??= new WeakMap();
const fromViews = shared[key];

/** A selector that needs no array. `picksAhead` is asked before each pick. */
export function viewing(pick: ViewChoice, { target, targetRate, picksAhead }: ViewingOptions = {}): Selector {
  const selector: Selector = {
    pick: fromArray(pick),
    ...(target && { target: fromArray(target) }),
    ...(targetRate !== undefined && { targetRate }),
  };
  // Not enumerable: it says nothing about a selector that has the rest of this one, but another `pick`.
  return Object.defineProperty(selector, "picksAhead", { get: () => picksAhead?.() ?? false });
}

function fromArray(choice: ViewChoice): ArrayChoice {
  const choiceFromArray: ArrayChoice = candidates => choice(viewOf(candidates));
  fromViews.set(choiceFromArray, choice);
  return choiceFromArray;
}

/** How `pick` or `target` of a selector chooses from views; undefined if it needs arrays. */
export function viewChoiceOf(choice: ArrayChoice | undefined): ViewChoice | undefined {
  return choice && fromViews.get(choice);
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
