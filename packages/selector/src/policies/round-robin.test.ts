import { selectorCompliance } from "@gw/compliance";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidates, chiSquare, counted, picks } from "../../test/picks.js";
import { endpoint, refused, rig, seededRandom } from "../../test/support.js";
import { roundRobin } from "./round-robin.js";

for (const { name, run } of selectorCompliance(() => roundRobin())) test(name, run);

const fromStart = { random: () => 0 };

describe("round robin", () => {
  test("picks one after the other, so that after each round all have had as many", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1 }),
        (size, rounds, seed) => {
          const hosts = picks(roundRobin({ random: seededRandom(seed) }), candidates(size), size * rounds);
          for (const [index, host] of hosts.entries()) expect(host).toBe(hosts[index % size]);
          expect(new Set(hosts).size).toBe(size);
        },
      ),
    );
  });

  test("begins anywhere, equally often", () => {
    const random = seededRandom(2379);
    const firsts = Array.from(
      { length: 10_000 },
      () => roundRobin({ random }).pick(candidates(5))?.endpoint.host,
    );
    expect(chiSquare([...counted(firsts).values()])).toBeLessThan(18.5);
  });

  test("goes on behind the one that it picked last, wherever that stands now", () => {
    const selector = roundRobin(fromStart);
    expect(picks(selector, candidates(4), 2)).toEqual(["a", "b"]);
    expect(picks(selector, candidates(4, "a"), 1)).toEqual(["c"]);
    expect(picks(selector, candidates(4).toReversed(), 2)).toEqual(["b", "a"]);
  });

  test("skips none when the one that it picked last is gone", () => {
    const selector = roundRobin(fromStart);
    expect(picks(selector, candidates(4), 2)).toEqual(["a", "b"]);
    expect(picks(selector, candidates(4, "b"), 3)).toEqual(["c", "d", "a"]);
  });

  test("stays fair while endpoints come and go", () => {
    const random = seededRandom(7);
    const selector = roundRobin({ random });
    const counts = new Map<string, number>();
    let away = "a";
    for (let pick = 0; pick < 60_000; pick++) {
      if (pick % 10 === 0) away = String.fromCharCode(97 + Math.floor(random() * 6));
      const host = selector.pick(candidates(6, away))?.endpoint.host ?? "none";
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test("gives a client whose dial failed the next endpoint, and skips none", () => {
    const { take, hosts } = rig(
      ["a", "b", "c"].map(host => endpoint(host)),
      { selector: roundRobin(fromStart) },
    );
    const lease = take();
    lease.failed(refused);
    expect(take(lease.endpoint).endpoint.host).toBe("b");
    expect(hosts(4)).toEqual(["c", "b", "c", "b"]);
  });
});
