import { type Candidate, type Endpoint, GatewayError, type Selector, type Verdict } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { counts, crowd, movedIn } from "../../../test/crowd.js";
import {
  a,
  b,
  c,
  endpoint,
  type Rig,
  type RigOptions,
  refused,
  rig,
  seededRandom,
} from "../../../test/support.js";
import { leader } from "../../policies/leader.js";
import { nearest } from "../../policies/nearest.js";
import { failbackRate, stickyRandom } from "../../policies/sticky-random.js";

const minute = 60_000;
const unhealthy: Verdict = {
  check: "etcd status",
  scope: "endpoint",
  error: new GatewayError("unhealthy", "hung"),
};
const healthy: Verdict = { check: "etcd status", scope: "endpoint" };

/** Picks, and wants connections, where it is told. */
class Told implements Selector {
  to: string | undefined;
  asked = 0;
  readonly targetRate?: number;

  constructor(to: string, targetRate?: number) {
    this.to = to;
    if (targetRate !== undefined) this.targetRate = targetRate;
  }

  pick(candidates: readonly Candidate[]): Candidate | undefined {
    return this.#find(candidates) ?? candidates[0];
  }

  target(candidates: readonly Candidate[]): Candidate | undefined {
    this.asked += 1;
    return this.#find(candidates);
  }

  #find(candidates: readonly Candidate[]): Candidate | undefined {
    return candidates.find(({ endpoint }) => endpoint.host === this.to);
  }
}

/** `count` connections on a, and a selector that wants them on b from now on. */
function wanting(count: number, options: RigOptions = {}, endpoints = [a, b, c]) {
  const selector = new Told("a");
  const one = rig(endpoints, { selector, rebalance: 0.1, random: seededRandom(3), ...options });
  const open = crowd(one, count);
  selector.to = "b";
  one.log.length = 0;
  return { ...one, selector, open };
}

describe("connections that are elsewhere than the selector's target", () => {
  test("are moved there, no more than allowed in a minute, in small steps", async () => {
    const one = wanting(300);
    for (let passed = 1; passed <= 12; passed++) {
      await one.clock.advance(minute);
      expect(movedIn(one.log)).toBeLessThanOrEqual(30 * passed + 1);
    }
    expect(Math.max(...one.log.map(line => Number(line.split(" ")[1])))).toBeLessThanOrEqual(4);
    expect(counts(one)).toEqual(["a 0", "b 300", "c 0"]);
    expect(one.log[0]).toMatch(/^recycling \d of a for policy$/);
  });

  test("are left where they are while the target is avoided", async () => {
    const one = wanting(300);
    one.pool.avoid?.(b, true);
    await one.clock.advance(minute);
    expect(movedIn(one.log)).toBe(0);
    one.pool.avoid?.(b, false);
    await one.clock.advance(minute);
    expect(movedIn(one.log)).toBeGreaterThan(0);
  });

  test("are moved the oldest first, wherever they are", async () => {
    const selector = new Told("a");
    const one = rig([a, b, c], { selector, rebalance: 1 });
    const order: string[] = [];
    for (const [index, host] of [..."abcabc"].entries()) {
      selector.to = host;
      const lease = one.take();
      lease.connected();
      lease.onRevoked = () => {
        order.push(`${host}${index}`);
        lease.released();
      };
      await one.clock.advance(200);
    }
    selector.to = "b";
    await one.clock.advance(minute);
    expect(order).toEqual(["a0", "c2", "a3", "c5"]);
  });

  test("are moved although less than one may be moved at a time", async () => {
    const one = wanting(20);
    await one.clock.advance(12 * minute);
    expect(counts(one)).toEqual(["a 0", "b 20", "c 0"]);
  });

  test("stay while there is no target, and where nothing may be moved", async () => {
    const [undecided, bounded] = [wanting(10), wanting(10, { rebalance: 0 })];
    undecided.selector.to = undefined;
    for (const one of [undecided, bounded]) {
      await one.clock.advance(60 * minute);
      expect(one.log).toEqual([]);
      // It is asked all the same: policies have to see what changes.
      expect(one.selector.asked).toBeGreaterThanOrEqual(599);
    }
  });

  test("are moved at the rate of the selector where the pool has none", async () => {
    const selector = new Told("a", 0.5);
    const one = rig([a, b], { selector, random: () => 0.5 });
    crowd(one, 100);
    selector.to = "b";
    await one.clock.advance(minute);
    expect(movedIn(one.log)).toBeGreaterThanOrEqual(40);
    expect(movedIn(one.log)).toBeLessThanOrEqual(51);
    for (const rate of [-1, 2, Number.NaN])
      expect(() => rig([a], { selector: new Told("a", rate) })).toThrow(
        /targetRate .* is not between 0 and 1/,
      );
  });

  test("stay in a panic, and while the target is down or unhealthy", async () => {
    const one = wanting(10, { retryDelayMs: 1e8, maxRetryDelayMs: 1e8 });
    one.pool.report(b, { ...unhealthy, scope: "cluster" }, false);
    await one.clock.advance(30 * minute);
    expect(movedIn(one.log)).toBe(0);
    one.pool.report(b, healthy, false);
    one.pool.report(b, unhealthy, true);
    await one.clock.advance(30 * minute);
    expect(movedIn(one.log)).toBe(0);
    one.pool.report(c, unhealthy, true);
    expect(one.log.at(-1)).toMatch(/^panic most-unhealthy/);
    one.selector.asked = 0;
    await one.clock.advance(30 * minute);
    expect([movedIn(one.log), one.selector.asked]).toEqual([0, 0]);
    one.pool.close();
  });

  test("of an endpoint that is down are not closed", async () => {
    const one = wanting(10, { retryDelayMs: 1e8, maxRetryDelayMs: 1e8 });
    one.take(b, c).failed(refused);
    await one.clock.advance(30 * minute);
    expect(movedIn(one.log)).toBe(0);
    one.pool.close();
  });

  test("of a worse priority go back to the better one while there is no target", async () => {
    const endpoints = [a, b, endpoint("c", { priority: 1 })];
    const selector = new Told("c");
    const one = rig(endpoints, { selector, rebalance: 0.1 });
    for (const failing of [a, b]) one.take(...(failing === b ? [a] : [])).failed(refused);
    crowd(one, 10);
    expect(counts(one)).toEqual(["a 0", "b 0", "c 10"]);
    selector.to = undefined;
    await one.clock.advance(12 * minute);
    expect(counts(one)).toEqual(["a 10", "b 0", "c 0"]);
  });

  test("are left where they are by a selector that picks another endpoint than its target", async () => {
    const one = wanting(10, { rebalance: 1 });
    one.selector.pick = candidates => candidates[0];
    await one.clock.advance(60 * minute);
    expect(movedIn(one.log)).toBeGreaterThan(0);
    expect(movedIn(one.log)).toBeLessThanOrEqual(120);
    one.log.length = 0;
    await one.clock.advance(60 * minute);
    expect(one.log).toEqual([]);
  });
});

test("a selector without a target costs no timer, and one with it only while there are connections", async () => {
  const plain = rig([a, b], { selector: stickyRandom(), rebalance: 0 });
  crowd(plain, 3);
  expect(plain.clock.pending).toBe(0);
  const selector = new Told("a");
  const one = rig([a, b], { selector });
  expect(one.clock.pending).toBe(0);
  const lease = one.take();
  lease.connected();
  expect(one.clock.pending).toBe(1);
  lease.released();
  await one.clock.advance(minute);
  expect(one.clock.pending).toBe(0);
  one.take().connected();
  expect(one.clock.pending).toBe(1);
  one.pool.close();
  expect(one.clock.pending).toBe(0);
});

const broken: { readonly [fault: string]: (candidates: readonly Candidate[]) => unknown } = {
  throws() {
    throw new Error("boom");
  },
  "returns null": () => null,
  "returns a copy": ([one]) => ({ ...one }),
  "returns a promise that is rejected": async () => Promise.reject(new Error("boom")),
};

test.each(Object.entries(broken))("a target that %s is reported once and ignored", async (_, target) => {
  const selector = new Told("a");
  const one = rig([a, b], { selector, rebalance: 1 });
  crowd(one, 10);
  selector.target = target as NonNullable<Selector["target"]>;
  await one.clock.advance(10 * minute);
  one.hosts(10);
  await one.clock.advance(10 * minute);
  expect(one.log).toEqual([expect.stringMatching(/^\[selector-failed\] .*its target is ignored: /)]);
  expect(counts(one)).toEqual(["a 10", "b 0"]);
});

/** Takes `host` down, and up again after `downMs`. */
async function restart({ pool, clock }: Rig, host: Endpoint, downMs: number): Promise<void> {
  pool.report(host, unhealthy, true);
  await clock.advance(downMs);
}

describe("built-in policies", () => {
  /** Where one gateway's connection is before and after a rolling restart, and in which seconds it was moved. */
  async function rollingRestart(
    seed: number,
  ): Promise<{ from: string; to: string; movedAt: readonly number[] }> {
    const random = seededRandom(seed);
    const selector = stickyRandom({ failbackMs: 5 * minute, random });
    const one = rig([a, b, c], { selector, random, retryDelayMs: minute, maxRetryDelayMs: minute });
    const used = (): string =>
      one.pool.inspect().find(({ connections }) => connections > 0)?.endpoint.host ?? "none";
    crowd(one, 1);
    const from = used();
    for (const host of [a, b, c]) await restart(one, host, 2 * minute);
    one.log.length = 0;
    const movedAt: number[] = [];
    for (let second = 0; second < 20 * 60; second += 6) {
      await one.clock.advance(6_000);
      if (movedIn(one.log.splice(0)) > 0) movedAt.push(second);
    }
    return { from, to: used(), movedAt };
  }

  test("failback: after a rolling restart all gateways are where they were, and did not move together", async () => {
    const gateways = 100;
    const moves = new Map<number, number>();
    const froms = new Set<string>();
    for (let seed = 1; seed <= gateways; seed++) {
      const { from, to, movedAt } = await rollingRestart(seed * 7_919);
      froms.add(from);
      expect(to).toBe(from);
      for (const second of movedAt) moves.set(second, (moves.get(second) ?? 0) + 1);
    }
    expect([...froms].sort()).toEqual(["a", "b", "c"]);
    const counts = [...moves.values()];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(gateways / 2);
    expect(Math.max(...counts)).toBeLessThanOrEqual(gateways * 0.05);
  });

  test("failback moves one connection within about ten minutes, at any moment", async () => {
    const moments: number[] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed * 7_919);
      const one = rig([a, b], { selector: stickyRandom({ failbackMs: minute, random }), random });
      const home = one.take();
      home.released();
      await restart(one, home.endpoint, 0);
      crowd(one, 1);
      let passed = 0;
      while (movedIn(one.log) === 0 && passed < 20 * minute) {
        await one.clock.advance(6_000);
        passed += 6_000;
      }
      expect(one.hosts(1)).toEqual([home.endpoint.host]);
      moments.push(passed / minute);
    }
    expect(Math.max(...moments)).toBeLessThanOrEqual(1 / failbackRate + 2.5);
    expect(moments.filter(moment => moment < 6).length).toBeGreaterThan(10);
    expect(moments.filter(moment => moment > 6).length).toBeGreaterThan(10);
  });

  test("leader: connections follow an election by `rebalance`, and stay without it", async () => {
    for (const [rebalance, expected] of [
      [0, ["a 20", "b 0", "c 0"]],
      [0.5, ["a 0", "b 20", "c 0"]],
    ] as const) {
      const clock = manualClock();
      const one = rig([a, b, c], { selector: leader({ clock }), clock, rebalance });
      const report = (host: Endpoint, leaderId: string, raftTerm: number): void =>
        one.pool.report(host, { ...healthy, facts: { memberId: host.host, leaderId, raftTerm } }, false);
      for (const host of [a, b, c]) report(host, "a", 2);
      crowd(one, 20);
      await clock.advance(minute);
      for (const host of [a, b, c]) report(host, "b", 3);
      await clock.advance(3 * minute);
      expect(counts(one)).toEqual(expected);
    }
  });

  test("nearest: connections leave a far endpoint by `rebalance`", async () => {
    const clock = manualClock();
    const one = rig([a, b, c], { selector: nearest({ clock }), clock, rebalance: 0.5 });
    const measure = (host: Endpoint, roundTripMs: number): void =>
      one.pool.report(host, { ...healthy, facts: { roundTripMs } }, false);
    measure(a, 2);
    measure(b, 50);
    measure(c, 50);
    crowd(one, 20);
    for (let passed = 0; passed < 10; passed++) {
      measure(a, 50);
      measure(b, 2);
      await clock.advance(minute);
    }
    expect(counts(one)).toEqual(["a 0", "b 20", "c 0"]);
  });
});
