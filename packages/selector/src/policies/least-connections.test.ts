import { selectorCompliance } from "@gw/compliance";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidates, chiSquare, counted, fill, picks, weighing } from "../../test/picks.js";
import { seededRandom } from "../../test/support.js";
import { leastConnections } from "./least-connections.js";

for (const { name, run } of selectorCompliance(() => leastConnections())) test(name, run);

describe("least connections", () => {
  test("keeps the numbers within one of each other", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.nat(200),
        fc.integer({ min: 1 }),
        (size, count, seed) => {
          const numbers = Object.values(
            fill(leastConnections({ random: seededRandom(seed) }), candidates(size), count),
          );
          expect(Math.max(...numbers) - Math.min(...numbers)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("keeps them in proportion to the weights", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(weights, weights => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const numbers = Object.values(fill(leastConnections(), weighing(...weights), total * 3));
        for (const [index, weight] of weights.entries())
          expect(Math.abs((numbers[index] ?? 0) - weight * 3)).toBeLessThanOrEqual(weights.length);
      }),
    );
  });

  test("picks at random among those that have the fewest, equally often", () => {
    const from = candidates(6).map((one, index) => ({ ...one, connections: index === 5 ? 1 : 0 }));
    const counts = counted(picks(leastConnections({ random: seededRandom(2379) }), from, 10_000));
    expect([...counts.keys()].sort()).toEqual([..."abcde"]);
    expect(chiSquare([...counts.values()])).toBeLessThan(18.5);
  });

  test("fills one that was down before all others", () => {
    const from = candidates(3).map((one, index) => ({ ...one, connections: index === 0 ? 0 : 50 }));
    expect(fill(leastConnections(), from, 50)).toEqual({ a: 50, b: 50, c: 50 });
  });

  test("gives endpoints of weight 0 nothing beside others, and equal shares where there are no others", () => {
    expect(fill(leastConnections(), weighing(0, 1, 0, 1), 10)).toEqual({ a: 0, b: 5, c: 0, d: 5 });
    expect(fill(leastConnections(), weighing(0, 0), 10)).toEqual({ a: 5, b: 5 });
  });
});
