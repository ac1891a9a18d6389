import { selectorCompliance } from "@gw/compliance";
import { describe, expect, test } from "vitest";
import { candidates, chiSquare, counted, fill, picks, weighing } from "../../test/picks.js";
import { seededRandom } from "../../test/support.js";
import { random } from "./random.js";
import { twoChoices } from "./two-choices.js";

for (const { name, run } of selectorCompliance(() => twoChoices())) test(name, run);

describe("two choices", () => {
  test("picks each equally often while they carry the same", () => {
    for (const size of [2, 5]) {
      const counts = counted(picks(twoChoices({ random: seededRandom(2379) }), candidates(size), 10_000));
      expect(counts.size).toBe(size);
      expect(chiSquare([...counts.values()])).toBeLessThan(18.5);
    }
  });

  test("never picks the one that carries most, and picks the one that carries least whenever it is drawn", () => {
    const from = candidates(5).map((one, index) => ({ ...one, connections: index }));
    const counts = counted(picks(twoChoices({ random: seededRandom(3) }), from, 10_000));
    expect(counts.get("e")).toBeUndefined();
    // Of the ten pairs a is in four, b the better one in three, c in two, d in one.
    expect(
      chiSquare(
        [..."abcd"].map(host => counts.get(host) ?? 0),
        [4, 3, 2, 1],
      ),
    ).toBeLessThan(16.3);
  });

  test("spreads far more evenly than chance", () => {
    const spread = (numbers: readonly number[]): number => Math.max(...numbers) - Math.min(...numbers);
    const from = candidates(20);
    const even = spread(Object.values(fill(twoChoices({ random: seededRandom(4) }), from, 2_000)));
    const uneven = spread(Object.values(fill(random({ random: seededRandom(4) }), from, 2_000)));
    expect(even).toBeLessThanOrEqual(6);
    expect(uneven).toBeGreaterThan(20);
  });

  test("draws `choices` candidates, and equals a comparison of all when it draws all", () => {
    expect(fill(twoChoices({ choices: 100 }), candidates(7), 70)).toEqual(
      Object.fromEntries([..."abcdefg"].map(host => [host, 10])),
    );
  });

  test("weighs the two by their weights", () => {
    const numbers = fill(twoChoices({ random: seededRandom(5) }), weighing(1, 3), 4_000);
    expect(Math.abs((numbers["b"] ?? 0) - 3_000)).toBeLessThan(10);
  });

  test.each([0, 1, 1.5, 101, Number.NaN])("refuses %d choices", choices => {
    expect(() => twoChoices({ choices })).toThrow(`choices ${choices} is not a whole number from 2 to 100`);
  });
});
