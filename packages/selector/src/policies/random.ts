import type { Selector } from "@gw/interface";
import { viewing } from "./candidate-view.js";

/** What policies that draw lots can be told. */
export interface RandomOptions {
  /** A number in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/**
 * Each connection goes to an endpoint at random, all alike.
 *
 * Use it when there are many short connections and nothing is to be remembered or counted; `twoChoices` spreads long
 * ones better at nearly the same cost. It takes no heed of weights; `weightedRandom` does.
 */
export function random({ random = Math.random }: RandomOptions = {}): Selector {
  return viewing(candidates => candidates.at(Math.floor(random() * candidates.length)));
}
