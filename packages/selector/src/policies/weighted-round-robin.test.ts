import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { selectorCompliance } from "@gw/compliance";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidates, counted, picks, weighing } from "../../test/picks.js";
import { endpoint } from "../../test/support.js";
import { weightedRoundRobin } from "./weighted-round-robin.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** In bytes, without what is no longer in use. */
function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

for (const { name, run } of selectorCompliance(() => weightedRoundRobin())) test(name, run);

describe("weighted round robin", () => {
  test("is smooth", () => {
    expect(picks(weightedRoundRobin(), weighing(5, 1, 1), 14).join("")).toBe("aabacaaaabacaa");
  });

  test("picks each as often as its weight in each round, and never late by more than one turn", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(weights, weights => {
        const from = weighing(...weights);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const hosts = picks(weightedRoundRobin(), from, total * 2);
        for (const [index, weight] of weights.entries()) {
          const host = String.fromCharCode(97 + index);
          let had = 0;
          for (const [pick, picked] of hosts.entries()) {
            if (picked === host) had += 1;
            // With n endpoints the smooth order strays from the ideal by less than n.
            expect(Math.abs(had - ((pick + 1) * weight) / total)).toBeLessThan(weights.length);
          }
          expect(had).toBe(weight * 2);
        }
      }),
    );
  });

  test("treats all as equal where all weights are 0, and leaves those of weight 0 out beside others", () => {
    expect(counted(picks(weightedRoundRobin(), candidates(3), 9))).toEqual(
      new Map([
        ["a", 3],
        ["b", 3],
        ["c", 3],
      ]),
    );
    expect(new Set(picks(weightedRoundRobin(), weighing(0, 2, 1), 30))).toEqual(new Set(["b", "c"]));
  });

  test("lets a newcomer have its turns from the start, and no more than those", () => {
    const selector = weightedRoundRobin();
    picks(selector, weighing(1, 1), 101);
    const hosts = picks(selector, weighing(1, 1, 1), 30);
    expect(counted(hosts).get("c")).toBe(10);
    expect(hosts.join("")).not.toMatch(/cc/);
  });

  test("makes no burst of what returns after a long absence", () => {
    const selector = weightedRoundRobin();
    const all = weighing(1, 1, 1);
    picks(selector, all, 2);
    picks(selector, all.slice(0, 2), 10_000);
    expect(counted(picks(selector, all, 30)).get("c")).toBeLessThanOrEqual(11);
  });

  test("takes over new weights", () => {
    const selector = weightedRoundRobin();
    picks(selector, weighing(1, 1), 10);
    const counts = counted(picks(selector, weighing(3, 1), 40));
    expect(counts.get("a")).toBeGreaterThanOrEqual(29);
  });

  test("remembers no more than there is, however many come and go", () => {
    const selector = weightedRoundRobin();
    const before = heapInUse();
    for (let round = 0; round < 200_000; round++)
      selector.pick([{ endpoint: endpoint(`host-${round}.example.com`), connections: 0 }]);
    // What was not forgotten would be some 30 MB.
    expect(heapInUse() - before).toBeLessThan(5e6);
    // It is in use until here.
    expect(selector.pick(candidates(1))).toBeDefined();
  });
});
