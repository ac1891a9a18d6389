import type { Selector } from "@gw/interface";
import { always, viewing } from "./candidate-view.js";

/** Options of random policies. */
export interface RandomOptions {
  /** A number in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/**
 * Each connection goes to an endpoint at random, all with the same chance.
 *
 * Use it when there are many short connections and no state is wanted; `twoChoices` spreads long
 * ones better at nearly the same cost. It ignores weights; `weightedRandom` does.
 */
export function random({ random = Math.random }: RandomOptions = {}): Selector {
  return viewing(candidates => candidates.at(Math.floor(random() * candidates.length)), {
    picksAhead: always,
  });
}
