import type { EndpointFacts, Verdict } from "@gw/interface";
import { expect, test } from "vitest";
import { type Checking, deep, endpoint, shared, startChecking, status } from "../../test/checking.js";
import { LeaderTerms } from "./terms.js";

const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];
const minute = 60_000;

function named(raftTerm: number, rest: EndpointFacts = {}): EndpointFacts {
  return { clusterId: "c", leaderId: "1", raftTerm, ...rest };
}

/** When a report was asked for, and when it came. */
function at(startedAt: number, now: number, isAgreed = false) {
  return { startedAt, now, isAgreed };
}

test("a report is outdated if a leader of a newer term was named before it was asked for", () => {
  const terms = new LeaderTerms();
  expect(terms.learn(named(2), at(0, 1))).toBe(false);
  expect(terms.learn(named(3), at(100, 101))).toBe(false);
  expect(terms.learn(named(2), at(100, 102))).toBe(false);
  expect(terms.learn(named(2), at(103, 104))).toBe(true);
  expect(terms.learn(named(2, { leaderId: undefined }), at(103, 104))).toBe(true);
  expect(terms.learn(named(3), at(103, 104))).toBe(false);
});

test.each([
  ["of a term without a leader, which a member that is cut off counts up", named(9, { leaderId: undefined })],
  ["of another cluster", named(9, { clusterId: "d" })],
  ["without a term", named(9, { raftTerm: undefined })],
  ["whose term is no number", named(Number.NaN)],
])("a report %s proves nothing", (_, facts) => {
  const terms = new LeaderTerms();
  terms.learn(facts, at(0, 1));
  expect(terms.learn(named(2), at(100, 101))).toBe(false);
});

test("a newer term counts for ten minutes after it was last reported", () => {
  const terms = new LeaderTerms();
  terms.learn(named(3), at(0, 0));
  terms.learn(named(3), at(9 * minute, 9 * minute));
  expect(terms.learn(named(2), at(18 * minute, 18 * minute))).toBe(true);
  expect(terms.learn(named(2), at(19 * minute, 19 * minute))).toBe(false);
});

test("the terms of eight clusters are known", () => {
  const terms = new LeaderTerms();
  for (let number = 0; number <= 8; number++) terms.learn(named(3, { clusterId: `${number}` }), at(0, 0));
  expect(terms.learn(named(2, { clusterId: "0" }), at(1, 1))).toBe(false);
  expect(terms.learn(named(2, { clusterId: "8" }), at(1, 1))).toBe(true);
});

test("a member with which the others agree is not outdated, and its term is the newest from then on", () => {
  const terms = new LeaderTerms();
  terms.learn(named(40), at(0, 1));
  expect(terms.learn(named(2), at(100, 101))).toBe(true);
  expect(terms.learn(named(2), at(200, 201, true))).toBe(false);
  expect(terms.learn(named(2), at(300, 301))).toBe(false);
  terms.learn(named(3), at(400, 401));
  expect(terms.learn(named(2), at(500, 501))).toBe(true);
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

test("a cluster that was restored with its old id, and counts terms from the beginning, is not suspected for long", async () => {
  const at = await startBehind();
  const before = at.checked.length;
  for (const number of [1, 2, 3]) at.finds.set(number, inTerm(1));
  await at.clock.advance(9 * minute);
  const deepOnes = at.checked.slice(before).filter(check => check.endsWith("deep"));
  // One of each member because of its term, and the one that is due once in ten minutes.
  expect(deepOnes.length).toBeGreaterThan(0);
  expect(deepOnes.length).toBeLessThanOrEqual(4);
  at.checks.close();
});
