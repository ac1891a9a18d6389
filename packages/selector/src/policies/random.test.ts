import { selectorCompliance } from "@gw/compliance";
import { expect, test } from "vitest";
import { candidates, chiSquare, counted, picks, weighing } from "../../test/picks.js";
import { seededRandom } from "../../test/support.js";
import { random } from "./random.js";

for (const { name, run } of selectorCompliance(() => random())) test(name, run);

test("picks each equally often, whatever the weights are", () => {
  for (const from of [candidates(5), weighing(0, 1, 2, 3, 65_535)]) {
    const counts = counted(picks(random({ random: seededRandom(2379) }), from, 10_000));
    expect(counts.size).toBe(5);
    expect(chiSquare([...counts.values()])).toBeLessThan(18.5);
  }
});

test("picks with no regard to what it picked before", () => {
  const hosts = picks(random({ random: seededRandom(1) }), candidates(2), 10_000);
  const pairs = counted(hosts.slice(1).map((host, index) => `${hosts[index]}${host}`));
  expect([...pairs.keys()].sort()).toEqual(["aa", "ab", "ba", "bb"]);
  expect(chiSquare([...pairs.values()])).toBeLessThan(18.5);
});
