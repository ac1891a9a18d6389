import type { Candidate, Selector } from "@gw/interface";
import type { RandomOptions } from "./random.js";

/**
 * Picks by SRV weight, to the letter of RFC 2782: the records in random order, those of weight 0 first; a running
 * sum of weights; a random whole number from 0 to the sum, both included; the first record whose running sum
 * is not less. So a weight of 0 is picked rarely where others have weights, and evenly where none has.
 *
 * @param random a number in [0, 1)
 */
export function pickByWeight(candidates: readonly Candidate[], random: () => number): Candidate | undefined {
  const sum = candidates.reduce((total, { endpoint }) => total + endpoint.weight, 0);
  const wanted = Math.floor(random() * (sum + 1));
  if (wanted === 0) {
    // Whoever comes first in the random order. For all other numbers the order makes no difference.
    const weightless = candidates.filter(({ endpoint }) => endpoint.weight === 0);
    const first = weightless.length > 0 ? weightless : candidates;
    return first[Math.floor(random() * first.length)];
  }
  let running = 0;
  return candidates.find(({ endpoint }) => {
    running += endpoint.weight;
    return running >= wanted;
  });
}

/**
 * Each connection goes to an endpoint at random, with its SRV weight as its chance (RFC 2782). Where all weights are 0
 * all are alike; beside others that have weights, one of weight 0 is picked rarely.
 *
 * Use it when endpoints differ in strength and there are many gateways: it needs no memory, and none of them is in step
 * with another. A single gateway spreads more evenly by `weightedRoundRobin`.
 */
export function weightedRandom({ random = Math.random }: RandomOptions = {}): Selector {
  return { pick: candidates => pickByWeight(candidates, random) };
}
