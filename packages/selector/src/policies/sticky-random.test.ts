import { selectorCompliance } from "@gw/compliance";
import type { Candidate, Selector } from "@gw/interface";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidates, changingCandidates, chiSquare, counted } from "../../test/picks.js";
import { endpoint, rig, seededRandom, timedOut } from "../../test/support.js";
import { viewOf } from "./candidate-view.js";
import { stickyRandom } from "./sticky-random.js";
import { pickByWeight } from "./weighted-random.js";

for (const { name, run } of selectorCompliance(() => stickyRandom())) test(name, run);
describe("with failback", () => {
  for (const { name, run } of selectorCompliance(() => stickyRandom({ failbackMs: 1 }))) test(name, run);
});

function pick(selector: Selector, from: readonly Candidate[]): string | undefined {
  return selector.pick(from)?.endpoint.host;
}

/** Sticky random in as few words as possible. */
function searchingRandom(random: () => number): Selector {
  let current: string | undefined;
  return {
    pick(candidates) {
      const same = candidates.find(one => one.endpoint.host === current);
      const picked = same ?? pickByWeight(viewOf(candidates), random);
      current = picked?.endpoint.host ?? current;
      return picked;
    },
  };
}

describe("sticky random", () => {
  test("keeps to the endpoint that it picked, whatever happens to the others", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const selector = stickyRandom({ random: seededRandom(seed) });
      const host = pick(selector, candidates(5));
      const others = [..."abcde"].filter(one => one !== host);
      for (const other of others) expect(pick(selector, candidates(5, other))).toBe(host);
      expect(pick(selector, candidates(5, ...others))).toBe(host);
      expect(pick(selector, candidates(8).toReversed())).toBe(host);
    }
  });

  test("picks every endpoint first equally often", () => {
    const random = seededRandom(2379);
    const hosts = Array.from({ length: 10_000 }, () => pick(stickyRandom({ random }), candidates(5)));
    const counts = counted(hosts);
    expect([...counts.keys()].sort()).toEqual([..."abcde"]);
    expect(chiSquare([...counts.values()])).toBeLessThan(18.5);
  });

  test("picks every other endpoint equally often when its own is gone", () => {
    const random = seededRandom(2380);
    const moves = Array.from({ length: 30_000 }, () => {
      const selector = stickyRandom({ random });
      const from = pick(selector, candidates(6));
      return { from, to: pick(selector, candidates(6, from)) };
    });
    for (const host of "abcdef") {
      const counts = counted(moves.filter(({ from }) => from === host).map(({ to }) => to));
      expect([...counts.keys()].sort()).toEqual([..."abcdef"].filter(one => one !== host));
      expect(chiSquare([...counts.values()])).toBeLessThan(18.5);
    }
  });

  test("is not pulled back by an endpoint that recovers", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const selector = stickyRandom({ random: seededRandom(seed) });
      const failed = pick(selector, candidates(3));
      const next = pick(selector, candidates(3, failed));
      for (let call = 0; call < 10; call++) expect(pick(selector, candidates(3))).toBe(next);
    }
  });

  test("distinguishes endpoints of one host by their ports", () => {
    const ports = [1, 2, 3].map(port => ({ endpoint: endpoint("a", { port }), connections: 0 }));
    const selector = stickyRandom({ random: seededRandom(1) });
    const picked = selector.pick(ports);
    for (const order of [ports, ports.toReversed()]) expect(selector.pick(order)).toBe(picked);
  });

  test("finds its endpoint at any index, as a search from the start does", () => {
    const offers = fc.array(fc.shuffledSubarray([..."abcdefgh"]), { maxLength: 30 });
    fc.assert(
      fc.property(offers, fc.integer({ min: 1 }), (offers, seed) => {
        const selector = stickyRandom({ random: seededRandom(seed) });
        const searching = searchingRandom(seededRandom(seed));
        for (const hosts of offers) {
          const offer = hosts.map(host => ({ endpoint: endpoint(host), connections: 0 }));
          expect(selector.pick(offer)).toBe(searching.pick(offer));
        }
      }),
    );
  });

  test("remembers its endpoint over a time without candidates", () => {
    const selector = stickyRandom({ random: seededRandom(3) });
    const host = pick(selector, candidates(8));
    expect(pick(selector, [])).toBeUndefined();
    expect(pick(selector, candidates(8))).toBe(host);
  });

  test("keeps all connections of a pool on one endpoint until that fails, and then on another", async () => {
    const endpoints = [..."abcd"].map(host => endpoint(host));
    const { hosts, take, clock } = rig(endpoints, { selector: stickyRandom({ random: seededRandom(7) }) });
    const [before] = hosts(1);
    expect(new Set(hosts(100))).toEqual(new Set([before]));
    take().failed(timedOut);
    const [after] = hosts(1);
    expect(after).not.toBe(before);
    await clock.advance(1_000);
    expect(new Set(hosts(100))).toEqual(new Set([after]));
  });
});

describe("failback", () => {
  const failbackMs = 60_000;

  /** Candidates that have been up for a long time, except those away; a selector, and its first pick. */
  function rigged(seed: number) {
    const selector = stickyRandom({ failbackMs, random: seededRandom(seed) });
    const all = changingCandidates(4);
    for (const one of all) one.upMs = 1e9;
    const home = selector.pick(all);
    const host = home?.endpoint.host ?? "";
    const back = all.find(one => one === home) ?? {};
    const others = all.filter(one => one !== home);
    return { selector, all, others, host, target: () => selector.target?.(all)?.endpoint.host, back };
  }

  test("returns home once that has been up for the time given, up to half of it longer", () => {
    const delays: number[] = [];
    for (let seed = 1; seed <= 200; seed++) {
      const { selector, all, others, host, target, back } = rigged(seed * 7_919);
      const other = pick(selector, others);
      expect(other).not.toBe(host);
      let upMs = 0;
      for (Object.assign(back, { upMs }); pick(selector, all) !== host; Object.assign(back, { upMs })) {
        expect(pick(selector, all)).toBe(other);
        expect(target()).toBeUndefined();
        upMs += 1_000;
      }
      expect(target()).toBe(host);
      delays.push(upMs);
    }
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(failbackMs);
    expect(Math.min(...delays)).toBeLessThan(failbackMs * 1.1);
    expect(Math.max(...delays)).toBeGreaterThan(failbackMs * 1.4);
    expect(Math.max(...delays)).toBeLessThanOrEqual(failbackMs * 1.5);
  });

  test("does not return while nobody knows for how long home has been up", () => {
    const { selector, all, others, back } = rigged(1);
    const other = pick(selector, others);
    Object.assign(back, { upMs: undefined });
    expect(pick(selector, all)).toBe(other);
  });

  test("keeps home while it is away, whatever happens to the others", () => {
    const { selector, all, others, host } = rigged(1);
    for (let left = others; left.length > 0; left = left.slice(1)) pick(selector, left);
    expect(pick(selector, [])).toBeUndefined();
    expect(pick(selector, all)).toBe(host);
  });

  test("makes another endpoint home once home is no endpoint any more", async () => {
    const endpoints = [..."abcd"].map(host => endpoint(host));
    for (let seed = 1; seed <= 20; seed++) {
      const selector = stickyRandom({ failbackMs: 1_000, random: seededRandom(seed) });
      const { pool, take, hosts, clock } = rig(endpoints, { selector });
      const [first] = hosts(1);
      const rest = endpoints.filter(({ host }) => host !== first);
      pool.update(rest);
      const [second] = hosts(1);
      take().failed(timedOut);
      expect(hosts(1)).not.toEqual([second]);
      await clock.advance(1_000);
      expect(hosts(1)).not.toEqual([second]);
      pool.update(endpoints);
      await clock.advance(3_000);
      expect(hosts(1)).toEqual([second]);
    }
  });

  test.each([0, -1, Number.NaN, Infinity])("rejects a time of %d ms", failbackMs => {
    expect(() => stickyRandom({ failbackMs })).toThrow(/failbackMs .* is not more than 0/);
  });
});
