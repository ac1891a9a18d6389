import type { Candidate, Selector } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { counting, fail, selector } from "../../test/selectors.js";
import { selectorCompliance } from "./selector-compliance.js";

const first = (): Selector => selector(candidates => candidates[0]);

const good: { readonly [policy: string]: () => Selector | Promise<Selector> } = {
  "the first": first,
  "the last": () => selector(candidates => candidates.at(-1)),
  "any, at random": () => selector(candidates => candidates[Math.floor(Math.random() * candidates.length)]),
  "one after the other": () => counting((candidates, call) => candidates[call % candidates.length]),
  "the one with the fewest connections": () =>
    selector(candidates => candidates.toSorted((a, b) => a.connections - b.connections)[0]),
  "any, in proportion to its weight": () =>
    selector(candidates => {
      let left = Math.random() * candidates.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
      for (const one of candidates) {
        left -= one.endpoint.weight;
        if (left < 0) return one;
      }
      return candidates[0];
    }),
  "the same host as before": () => {
    let host: string | undefined;
    return selector(candidates => {
      const picked = candidates.find(({ endpoint }) => endpoint.host === host) ?? candidates[0];
      host = picked?.endpoint.host;
      return picked;
    });
  },
  "the leader where one is known, which is its target": () => {
    const leader = (candidates: readonly Candidate[]): Candidate | undefined =>
      candidates.find(({ isLeader }) => isLeader);
    return { pick: candidates => leader(candidates) ?? candidates[0], target: leader };
  },
  "one after the other, ahead": () => ({
    ...counting((candidates, call) => candidates[call % candidates.length]),
    picksAhead: true,
  }),
  "any, at random, and ahead": () => ({
    ...selector(candidates => candidates[Math.floor(Math.random() * candidates.length)]),
    picksAhead: true,
  }),
  "the one with the fewest connections where two are left, and otherwise the first, ahead": () => {
    let isFew = false;
    return {
      pick(candidates) {
        isFew = candidates.length === 2;
        return isFew ? candidates.toSorted((a, b) => a.connections - b.connections)[0] : candidates[0];
      },
      get picksAhead() {
        return !isFew;
      },
    };
  },
  "the first, from an async factory": async () => first(),
};

describe.each(Object.entries(good))("a selector that picks %s", (_, make) => {
  for (const { name, run } of selectorCompliance(make)) test(name, run);
});

test("every case has a unique name, and runs without its object or arguments", () => {
  const cases = selectorCompliance(first);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  for (const { run } of cases) expect(run.length).toBe(0);
});

test("a factory that throws fails its case with what it threw", async () => {
  const [one] = selectorCompliance(() => fail("no such option"));
  await expect(one?.run()).rejects.toThrow("no such option");
});

test("a factory whose product has no pick() fails its cases", async () => {
  const [one] = selectorCompliance(() => ({}) as Selector);
  await expect(one?.run()).rejects.toThrow("pick is not a function");
});
