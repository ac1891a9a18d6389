import { selectorCompliance } from "@gw/compliance";
import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { type ChangingCandidate, changingCandidates, chiSquare, counted } from "../../test/picks.js";
import { seededRandom } from "../../test/support.js";
import { type NearestOptions, nearest } from "./nearest.js";

for (const { name, run } of selectorCompliance(() => nearest())) test(name, run);

/** Candidates a, b, c, … with these latencies. */
function at(...latencies: readonly (number | undefined)[]): ChangingCandidate[] {
  const from = changingCandidates(latencies.length);
  for (const [index, latencyMs] of latencies.entries()) Object.assign(from[index] ?? {}, { latencyMs });
  return from;
}

function rig(from: readonly ChangingCandidate[], options: NearestOptions = {}) {
  const clock = manualClock();
  const selector = nearest({ clock, random: seededRandom(1), ...options });
  const pick = (offered = from): string | undefined => selector.pick(offered)?.endpoint.host;
  const target = (): string | undefined => selector.target?.(from)?.endpoint.host;
  /** Picks every ten seconds; what was picked. */
  const follow = async (seconds: number, before = (): void => {}): Promise<readonly unknown[]> => {
    const picked: unknown[] = [];
    for (let second = 0; second < seconds; second += 10) {
      await clock.advance(10_000);
      before();
      target();
      picked.push(pick());
    }
    return picked;
  };
  return { clock, selector, pick, target, follow };
}

/** What fresh selectors pick first. */
function firstPicks(from: readonly ChangingCandidate[], count = 3_000): ReadonlyMap<unknown, number> {
  const random = seededRandom(2379);
  return counted(Array.from({ length: count }, () => nearest({ random }).pick(from)?.endpoint.host));
}

describe("nearest", () => {
  test.each([
    { latencies: [10, 12, 80], tier: "ab" },
    { latencies: [10, 12.5, 12.6], tier: "ab" },
    { latencies: [0.2, 1.2, 1.3], tier: "ab" },
    { latencies: [80, 10], tier: "b" },
    { latencies: [undefined, 10, 12], tier: "bc" },
    { latencies: [undefined, undefined], tier: "ab" },
  ])("picks any of the nearest of $latencies: $tier", ({ latencies, tier }) => {
    const counts = firstPicks(at(...latencies));
    expect([...counts.keys()].sort()).toEqual([...tier]);
    if (tier.length > 1) expect(chiSquare([...counts.values()])).toBeLessThan(10.9);
  });

  test("keeps to the endpoint that it picked while others are no nearer by a clear margin", async () => {
    const from = at(10, undefined, undefined);
    const { pick, follow } = rig(from);
    expect(pick()).toBe("a");
    Object.assign(from[1] ?? {}, { latencyMs: 7 });
    expect(new Set(await follow(3_600))).toEqual(new Set(["a"]));
  });

  test("goes to a nearer one that has been nearer by a clear margin for the time to settle", async () => {
    const from = at(10, 80, 80);
    const { pick, target, follow } = rig(from);
    expect(pick()).toBe("a");
    Object.assign(from[1] ?? {}, { latencyMs: 2 });
    const picked = await follow(130);
    expect(picked.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => "a"));
    expect(picked.at(-1)).toBe("b");
    expect(target()).toBeUndefined();
  });

  test("does not move for a peak that is shorter", async () => {
    const from = at(10, 12, 80);
    const { pick, follow } = rig(from);
    const host = pick();
    const here = from.find(({ endpoint }) => endpoint.host === host);
    for (let round = 0; round < 50; round++) {
      Object.assign(here ?? {}, { latencyMs: 200 });
      expect(new Set(await follow(50))).toEqual(new Set([host]));
      Object.assign(here ?? {}, { latencyMs: 10 });
      expect(new Set(await follow(20))).toEqual(new Set([host]));
    }
  });

  test.each([0.3, 2, 20])("does not move for a noise of ±20 %% around %d ms", async typicalMs => {
    const noise = seededRandom(4);
    for (let seed = 1; seed <= 20; seed++) {
      const from = at(typicalMs, typicalMs, typicalMs);
      const { pick, follow } = rig(from, { random: seededRandom(seed) });
      const host = pick();
      const jitter = (): void => {
        for (const one of from) one.latencyMs = typicalMs * (0.8 + 0.4 * noise());
      };
      expect(new Set(await follow(3_600, jitter))).toEqual(new Set([host]));
    }
  });

  test("keeps to an endpoint of unknown latency, and leaves it when it turns out to be far", async () => {
    const from = at(undefined, undefined, undefined);
    const { pick, target, follow } = rig(from);
    const host = pick();
    for (const one of from) if (one.endpoint.host !== host) one.latencyMs = 1;
    expect(new Set(await follow(600))).toEqual(new Set([host]));
    expect(target()).toBeUndefined();
    for (const one of from) one.latencyMs ??= 50;
    const picked = await follow(130);
    expect(picked.at(-1)).not.toBe(host);
  });

  test("uses an endpoint of unknown latency when it is the only one", () => {
    const from = at(1, undefined);
    const { pick } = rig(from);
    expect(pick()).toBe("a");
    expect(pick(from.slice(1))).toBe("b");
  });

  test("returns to the near ones by itself after all of them were away", async () => {
    const from = at(1, 1.5, 40);
    const { pick, follow } = rig(from);
    pick();
    expect(pick(from.slice(2))).toBe("c");
    const picked = await follow(130);
    expect(picked[0]).toBe("c");
    expect(["a", "b"]).toContain(picked.at(-1));
  });

  test("moves open connections that are far, and those alone", async () => {
    const from = at(1, 1.5, 40);
    const { pick, target } = rig(from);
    const host = pick();
    const other = from.find(({ endpoint }) => endpoint.host !== host && endpoint.host !== "c");
    Object.assign(other ?? {}, { connections: 7 });
    expect(target()).toBeUndefined();
    Object.assign(from[2] ?? {}, { connections: 1 });
    expect(target()).toBe(host);
  });

  test("of a thousand gateways does not leave a slow endpoint as a herd", async () => {
    const clock = manualClock();
    const random = seededRandom(11);
    const from = at(1, 1, 1);
    const gateways = Array.from({ length: 1_000 }, () => nearest({ clock, random }));
    const pickAll = (): number => gateways.filter(one => one.pick(from)?.endpoint.host === "a").length;
    let left = pickAll();
    Object.assign(from[0] ?? {}, { latencyMs: 100 });
    const moves: number[] = [];
    for (let second = 0; second <= 125; second++) {
      await clock.advance(1_000);
      const now = pickAll();
      moves.push(left - now);
      left = now;
    }
    expect(left).toBe(0);
    expect(Math.max(...moves)).toBeLessThan(20);
  });

  test.each(["tolerance", "minToleranceMs", "settleMs"] as const)("rejects a %s below 0", name => {
    for (const value of [-1, Number.NaN, Infinity])
      expect(() => nearest({ [name]: value })).toThrow(new RegExp(`${name} .* is not 0 or more`));
  });
});
