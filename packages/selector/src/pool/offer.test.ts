import { type Candidate, type Selector, sameEndpoint } from "@gw/interface";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hosts } from "../../test/steps.js";
import { endpoint, refused, rig } from "../../test/support.js";
import { viewing } from "../policies/candidate-view.js";

/** Chooses among all candidates that it has ever seen. */
class Hoarder implements Selector {
  readonly seen: Candidate[] = [];
  offered: readonly Candidate[] = [];
  choice = 0;

  get chosen(): Candidate {
    return this.seen[this.choice % this.seen.length] as Candidate;
  }

  pick(candidates: readonly Candidate[]): Candidate {
    this.offered = candidates;
    for (const one of candidates) if (!this.seen.includes(one)) this.seen.push(one);
    return this.chosen;
  }
}

/** The same, for policies that need no array. The view must match the array. */
function viewingHoarder(hoarder: Hoarder): Selector {
  return viewing(view => {
    const candidates = Array.from({ length: view.length }, (_, index) => view.at(index) as Candidate);
    const chosen = hoarder.pick(candidates);
    for (const { endpoint } of hoarder.seen)
      expect(view.indexOf(endpoint)).toBe(candidates.findIndex(one => sameEndpoint(one.endpoint, endpoint)));
    expect(view.weight).toBe(candidates.reduce((sum, { endpoint }) => sum + endpoint.weight, 0));
    return chosen;
  });
}

const endpoints = fc
  .tuple(fc.shuffledSubarray(hosts, { minLength: 1 }), fc.array(fc.nat(1), { minLength: 5, maxLength: 5 }))
  .map(([some, priorities]) =>
    some.map((host, index) =>
      endpoint(host, { priority: priorities[index] ?? 0, weight: host.charCodeAt(0) % 3 }),
    ),
  );
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ choice: fc.nat(20), tried: fc.subarray(hosts), fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ endpoints }) },
  { weight: 1, arbitrary: fc.record({ waitMs: fc.constantFrom(1, 1_000) }) },
);

test.each<[string, (hoarder: Hoarder) => Selector]>([
  ["an array", hoarder => hoarder],
  ["a view", viewingHoarder],
])(
  "a choice from %s counts exactly if it is offered now, whatever was offered before",
  async (_, selecting) => {
    const counts = { good: 0, bad: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async steps => {
        const selector = new Hoarder();
        const { pool, clock, log } = rig(
          hosts.map(host => endpoint(host)),
          { selector: selecting(selector) },
        );
        let failing = false;
        for (const step of steps) {
          if ("endpoints" in step) pool.update(step.endpoints);
          else if ("waitMs" in step) await clock.advance(step.waitMs);
          else {
            log.length = 0;
            selector.choice = step.choice;
            selector.offered = [];
            const tried = step.tried.map(host => endpoint(host));
            const lease = pool.acquire({ tried, onRevoked() {} });
            if (!lease) continue;
            const { offered, chosen } = selector;
            const good = offered.includes(chosen);
            counts[good ? "good" : "bad"] += 1;
            if (good) expect(lease.endpoint).toBe(chosen.endpoint);
            expect(offered.map(one => one.endpoint)).toContain(lease.endpoint);
            expect(log.length).toBe(!good && !failing ? 1 : 0);
            failing = !good;
            if (step.fails) lease.failed(refused);
          }
        }
      }),
      { seed: 2379, numRuns: 200 },
    );
    expect(Math.min(counts.good, counts.bad)).toBeGreaterThan(500);
  },
);

test("is the same array for every client while nothing changes, and another one after that", () => {
  const selector = new Hoarder();
  const { pool, hosts, take } = rig([endpoint("a"), endpoint("b")], { selector });
  const offers = new Set<readonly Candidate[]>();
  const note = () => offers.add(selector.offered);
  for (let i = 0; i < 3; i++) {
    hosts(1);
    note();
  }
  expect(offers.size).toBe(1);
  take().failed(refused);
  hosts(1);
  note();
  expect(offers.size).toBe(2);
  pool.update([endpoint("a")]);
  hosts(1);
  note();
  expect(offers.size).toBe(3);
  for (const offer of offers) expect(offer).toSatisfy(Object.isFrozen);
});
