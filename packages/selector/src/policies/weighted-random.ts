import type { Candidate, Selector } from "@gw/interface";
import { always, type CandidateView, itemsOf, viewing } from "./candidate-view.js";
import type { RandomOptions } from "./random.js";

/**
 * Picks by SRV weight, to the letter of RFC 2782: the records in random order, those of weight 0 first; a running
 * sum of weights; a random whole number from 0 to the sum, both included; the first record whose running sum
 * is not less. So a weight of 0 is picked rarely where others have weights, and evenly where none has.
 *
 * @param random a number in [0, 1)
 */
export function pickByWeight(candidates: CandidateView, random: () => number): Candidate | undefined {
  const sum = candidates.weight;
  const wanted = Math.floor(random() * (sum + 1));
  if (sum === 0) return candidates.at(Math.floor(random() * candidates.length));
  if (wanted === 0) {
    // The first one of the random order. For all other numbers the order makes no difference.
    const all = itemsOf(candidates);
    const weightless = all.filter(({ endpoint }) => endpoint.weight === 0);
    const first = weightless.length > 0 ? weightless : all;
    return first[Math.floor(random() * first.length)];
  }
  let running = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates.at(index);
    running += candidate?.endpoint.weight ?? 0;
    if (running >= wanted) return candidate;
  }
  return undefined;
}

/**
 * Each connection goes to an endpoint at random, with its SRV weight as its chance (RFC 2782). If all weights are
 * 0, all are equal; otherwise one of weight 0 is picked rarely.
 *
 * Use it when endpoints differ in strength and there are many gateways: it needs no memory, and none of them is in step
 * with another. A single gateway spreads more evenly by `weightedRoundRobin`.
 */
export function weightedRandom({ random = Math.random }: RandomOptions = {}): Selector {
  return viewing(candidates => pickByWeight(candidates, random), { picksAhead: always });
}
