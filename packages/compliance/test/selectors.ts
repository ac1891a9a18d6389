import type { Candidate, Selector } from "@gw/interface";
import { expect, test } from "vitest";
import { selectorCompliance } from "../src/selector/selector-compliance.js";
import { failuresOf } from "./failures.js";

/** A selector that may violate the types. */
export function selector(pick: (candidates: readonly Candidate[]) => unknown): Selector {
  return { pick: pick as Selector["pick"] };
}

/** A selector that calls `act` on the candidates and then picks the first. */
export function firstAfter(act: (candidates: Candidate[]) => void): Selector {
  return selector(candidates => {
    const [picked] = candidates;
    act(candidates as Candidate[]);
    return picked;
  });
}

/** A selector that gets the number of the call, from 1. */
export function counting(pick: (candidates: readonly Candidate[], call: number) => unknown): Selector {
  let calls = 0;
  return selector(candidates => {
    calls += 1;
    return pick(candidates, calls);
  });
}

export function fail(message: string): never {
  throw new TypeError(message);
}

/** Selectors that the suite must catch by the case that is named for their fault. */
export interface BrokenSelectors {
  readonly [fault: string]: {
    readonly make: () => Selector;
    readonly fails: string;
    /** What the message of that case must match. */
    readonly message: RegExp;
  };
}

export function testThatAreCaught(broken: BrokenSelectors): void {
  test.each(Object.entries(broken))("catches a selector that %s", async (_, { make, fails, message }) => {
    const failures = await failuresOf(selectorCompliance(make));
    expect([...failures.keys()]).toContain(fails);
    expect(failures.get(fails)).toMatch(message);
  });
}
