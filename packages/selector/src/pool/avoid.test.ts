import type { Candidate, Selector, Verdict } from "@gw/interface";
import { expect, test, vi } from "vitest";
import { a, b, c, endpoint, type Rig, refused, rig, timedOut } from "../../test/support.js";
import { first } from "../policies/first.js";
import { roundRobin } from "../policies/round-robin.js";
import { stickyRandom } from "../policies/sticky-random.js";

const healthy: Verdict = { check: "etcd status", scope: "endpoint" };
const hanging: Verdict = { check: "etcd status", scope: "endpoint", error: timedOut };

function allHealthy(one: Rig): Rig {
  for (const each of one.pool.inspect()) one.pool.report(each.endpoint, healthy, true);
  return one;
}

test("connections go to another healthy endpoint while one is avoided, and the policy keeps its choice", () => {
  const one = allHealthy(rig([a, b, c], { selector: stickyRandom({ random: () => 0 }) }));
  expect(one.hosts(2)).toEqual(["a", "a"]);
  one.pool.avoid?.(a, true);
  expect(one.hosts(2)).toEqual(["b", "b"]);
  one.pool.avoid?.(b, true);
  expect(one.hosts(1)).toEqual(["c"]);
  one.pool.avoid?.(a, false);
  expect(one.hosts(2)).toEqual(["a", "a"]);
});

test("a policy that alternates goes on in its order", () => {
  const one = allHealthy(rig([a, b, c], { selector: roundRobin({ random: () => 0 }), random: () => 0.9 }));
  one.pool.avoid?.(b, true);
  expect(one.hosts(6)).toEqual(["a", "c", "c", "a", "c", "c"]);
});

test.each([
  ["no other is known to be healthy", rig([a, b], { selector: first() })],
  [
    "others are of another priority",
    allHealthy(rig([a, endpoint("b", { priority: 1 })], { selector: first() })),
  ],
  ["it is the only one", allHealthy(rig([a], { selector: first() }))],
])("an endpoint that is avoided is used if %s", (_, one) => {
  one.pool.avoid?.(a, true);
  expect(one.hosts(1)).toEqual(["a"]);
});

test("in a panic an endpoint that is avoided is used like any other", () => {
  const one = allHealthy(rig([a, b, c], { selector: stickyRandom({ random: () => 0 }), panicThreshold: 0 }));
  one.pool.avoid?.(a, true);
  expect(one.hosts(1)).toEqual(["b"]);
  one.pool.report(c, hanging, true);
  expect(one.log.at(-1)).toMatch(/^panic most-unhealthy/);
  expect(one.hosts(1)).toEqual(["a"]);
});

test("the other endpoint is picked by weight", () => {
  const weighted = [a, endpoint("b", { weight: 1 }), endpoint("c", { weight: 99 })];
  const one = allHealthy(rig(weighted, { selector: first(), random: () => 0.5 }));
  one.pool.avoid?.(a, true);
  expect(one.hosts(1)).toEqual(["c"]);
});

test.each<[string, Selector]>([
  ["a custom policy", { pick: candidates => candidates[0] }],
  ["a custom policy around one of this package", { pick: candidates => first().pick(candidates) }],
  ["a policy with another pick", { ...first(), pick: candidates => candidates[0] }],
  [
    "a policy of which pick is replaced",
    Object.assign(first(), { pick: ([one]: readonly Candidate[]) => one }),
  ],
])("%s decides alone", (_, selector) => {
  const one = allHealthy(rig([a, b], { selector }));
  one.pool.avoid?.(a, true);
  expect(one.hosts(1)).toEqual(["a"]);
});

test("a policy of another copy of this package is like one of this", async () => {
  vi.resetModules();
  const other = await import("../policies/first.js");
  expect(other.first).not.toBe(first);
  const one = allHealthy(rig([a, b], { selector: other.first() }));
  one.pool.avoid?.(a, true);
  expect(one.hosts(1)).toEqual(["b"]);
});

test("a client that has tried the others gets it", () => {
  const one = allHealthy(rig([a, b], { selector: first() }));
  one.pool.avoid?.(a, true);
  const lease = one.take(b);
  expect(lease.endpoint.host).toBe("a");
});

test("the failover is reported when it is marked down, with the reason, and not before", () => {
  const one = allHealthy(rig([a, b, c], { selector: first() }));
  one.take().connected();
  one.pool.avoid?.(a, true);
  one.take().connected();
  expect(one.log).toEqual([]);
  one.pool.avoid?.(a, false);
  one.pool.report(a, hanging, true);
  one.take().connected();
  expect(one.log.filter(line => line.startsWith("failover"))).toEqual(["failover a to b: no answer"]);
});

test("an endpoint that returns to the set is not avoided any more, and one that is unknown is ignored", () => {
  const one = allHealthy(rig([a, b], { selector: first() }));
  const lease = one.take();
  lease.connected();
  one.pool.avoid?.(a, true);
  one.pool.update([b]);
  one.pool.avoid?.(a, false);
  one.pool.update([a, b]);
  expect(one.hosts(1)).toEqual(["a"]);
  one.pool.avoid?.(c, true);
});

test("a connection that was open for ten seconds and ends is reported, unless the pool has closed it or it failed", async () => {
  const seen: string[] = [];
  const one = rig([a, b], {
    onSuspicion: ({ host }, why) => void seen.push(`${host} ${why}`),
    maxConnectionAgeMs: 30_000,
  });
  const [young, old, failing, aged] = [one.take(), one.take(), one.take(), one.take()];
  for (const lease of [young, old, failing, aged]) lease.connected();
  await one.clock.advance(9_000);
  young.released(undefined, true);
  expect(seen).toEqual([]);
  await one.clock.advance(2_000);
  old.released(undefined, true);
  expect(seen).toEqual(["a ended"]);
  failing.released(refused, true);
  expect(seen).toEqual(["a ended", "a lost"]);
  await one.clock.advance(40_000);
  expect(aged.revoked).toHaveLength(1);
  aged.released(undefined, true);
  expect(seen).toHaveLength(2);
});
