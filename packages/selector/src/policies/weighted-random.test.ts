import { selectorCompliance } from "@gw/compliance";
import { describe, expect, test } from "vitest";
import { chiSquare, counted, picks, weighing } from "../../test/picks.js";
import { endpoint, seededRandom } from "../../test/support.js";
import { stickyRandom } from "./sticky-random.js";
import { weightedRandom } from "./weighted-random.js";

/** How often each of `weights` is the first pick of a fresh selector, over many seeds. */
function firstPicks(weights: readonly number[], rounds: number): number[] {
  const candidates = weights.map((weight, index) => ({
    endpoint: endpoint(`h${index}`, { weight }),
    connections: 0,
  }));
  const random = seededRandom(2782);
  const counts = weights.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const picked = stickyRandom({ random }).pick(candidates);
    const index = picked ? candidates.indexOf(picked) : -1;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts;
}

describe("picks by SRV weight are distributed as in RFC 2782", () => {
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
    expect(chiSquare(firstPicks(weights, 60_000), shares)).toBeLessThan(18.4);
  });
});

for (const { name, run } of selectorCompliance(() => weightedRandom())) test(name, run);

test("as a policy picks by the same rule, each time independently", () => {
  // Of the eleven numbers that may be drawn, 0 stands for the one that comes first in a random order.
  const counts = counted(picks(weightedRandom({ random: seededRandom(5) }), weighing(1, 2, 7), 10_000));
  expect(
    chiSquare(
      ["a", "b", "c"].map(host => counts.get(host) ?? 0),
      [4, 7, 22],
    ),
  ).toBeLessThan(13.8);
});
