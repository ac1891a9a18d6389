import { describe, expect, test } from "vitest";
import { endpoint, seededRandom } from "../test/support.js";
import { stickyRandom } from "./sticky-random.js";

/** How often each of `weights` is the first pick of a fresh selector, over many seeds. */
function picks(weights: readonly number[], rounds: number): number[] {
  const candidates = weights.map((weight, index) => ({
    endpoint: endpoint(`h${index}`, { weight }),
    connections: 0,
  }));
  const random = seededRandom(2782);
  const counts = weights.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const picked = stickyRandom({ random }).pick(candidates);
    const index = candidates.findIndex(candidate => candidate === picked);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

/** Pearson's statistic of observed counts against expected shares. */
function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const all = shares.reduce((sum, share) => sum + share, 0);
  return counts.reduce((sum, count, index) => {
    const expected = (total * (shares[index] ?? 0)) / all;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

describe("picks by SRV weight are distributed as RFC 2782 says", () => {
  // Of sum + 1 numbers each record has as many as its weight, and the weightless share one; where there are
  // none of these, all share it.
  test.each([
    { weights: [1, 1, 1], shares: [1, 1, 1] },
    { weights: [10, 20, 70], shares: [10 + 1 / 3, 20 + 1 / 3, 70 + 1 / 3] },
    { weights: [60_000, 5_000], shares: [60_000.5, 5_000.5] },
    { weights: [0, 0, 0], shares: [1, 1, 1] },
    { weights: [0, 9], shares: [1, 9] },
    { weights: [9, 0, 0], shares: [9, 0.5, 0.5] },
  ])("$weights", ({ weights, shares }) => {
    // The 99.99 % quantile for two degrees of freedom. The seed is fixed, so this passes always or never.
    expect(chiSquare(picks(weights, 60_000), shares)).toBeLessThan(18.4);
  });
});
