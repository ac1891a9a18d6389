import type { EndpointFacts, Verdict } from "@gw/interface";
import { expect, test } from "vitest";
import { type Checking, deep, endpoint, shared, startChecking, status } from "../../test/checking.js";
import { LeaderTerms } from "./terms.js";

const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];
const minute = 60_000;

function named(raftTerm: number, rest: EndpointFacts = {}): EndpointFacts {
  return { clusterId: "c", leaderId: "1", raftTerm, ...rest };
}

test("a report is outdated if a leader of a newer term was named before it was asked for", () => {
  const terms = new LeaderTerms();
  expect(terms.learn(named(2), 0, 1)).toBe(false);
  expect(terms.learn(named(3), 100, 101)).toBe(false);
  expect(terms.learn(named(2), 100, 102)).toBe(false);
  expect(terms.learn(named(2), 103, 104)).toBe(true);
  expect(terms.learn(named(2, { leaderId: undefined }), 103, 104)).toBe(true);
  expect(terms.learn(named(3), 103, 104)).toBe(false);
});

test.each([
  ["of a term without a leader, which a member that is cut off counts up", named(9, { leaderId: undefined })],
  ["of another cluster", named(9, { clusterId: "d" })],
  ["without a term", named(9, { raftTerm: undefined })],
  ["whose term is no number", named(Number.NaN)],
])("a report %s proves nothing", (_, facts) => {
  const terms = new LeaderTerms();
  terms.learn(facts, 0, 1);
  expect(terms.learn(named(2), 100, 101)).toBe(false);
});

test("a newer term counts for ten minutes after it was last reported", () => {
  const terms = new LeaderTerms();
  terms.learn(named(3), 0, 0);
  terms.learn(named(3), 9 * minute, 9 * minute);
  expect(terms.learn(named(2), 18 * minute, 18 * minute)).toBe(true);
  expect(terms.learn(named(2), 19 * minute, 19 * minute)).toBe(false);
});

test("the terms of eight clusters are known", () => {
  const terms = new LeaderTerms();
  for (let number = 0; number <= 8; number++) terms.learn(named(3, { clusterId: `${number}` }), 0, 0);
  expect(terms.learn(named(2, { clusterId: "0" }), 1, 1)).toBe(false);
  expect(terms.learn(named(2, { clusterId: "8" }), 1, 1)).toBe(true);
});

const inTerm = (raftTerm: number): Verdict => ({ ...status, facts: named(raftTerm) });

/** The first of three members is in use and has a watch, in term 2; the others have gone on to term 3. */
async function startBehind(): Promise<Checking> {
  const at = startChecking([one, two, three]);
  at.use(1);
  for (const number of [1, 2, 3]) {
    at.finds.set(number, inTerm(2));
    at.findsDeep.set(number, deep);
  }
  await at.clock.advance(minute);
  for (const number of [2, 3]) at.finds.set(number, inTerm(3));
  return at;
}

test("a leader that others have replaced is checked deeply when a candidate has named the new one", async () => {
  const at = await startBehind();
  at.findsDeep.set(1, { ...shared, check: "etcd /readyz" });
  at.deepTookMs.set(1, 2_000);
  await at.clock.advance(4 * minute + 10_000);
  expect(at.reports).toContainEqual(expect.stringContaining("e1 unhealthy alone"));
  at.checks.close();
});

test("a member that lags behind and serves all the same is checked deeply ever less often", async () => {
  const at = await startBehind();
  await at.clock.advance(60 * minute);
  const deepOnes = at.checked.filter(check => check.endsWith("e1 deep"));
  expect(deepOnes.length).toBeGreaterThan(3);
  expect(deepOnes.length).toBeLessThan(36);
  expect(at.reports.filter(report => !report.endsWith(" ok"))).toEqual([]);
  // The cadence of a silent endpoint, and one more check for each deep one.
  const checks = at.checked.filter(check => check.endsWith("e1"));
  expect(checks.length).toBeLessThan(7 * 62 + 2 * deepOnes.length);
  at.checks.close();
});
