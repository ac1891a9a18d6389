import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { a, b, refused, rig, seededRandom } from "../../test/support.js";
import { Backoff } from "./backoff.js";

const settings = { retryDelayMs: 1_000, maxRetryDelayMs: 6_000, random: () => 0 };

describe("the delay after consecutive failures", () => {
  test("doubles each time, up to a limit", () => {
    const backoff = new Backoff();
    const waits = [1, 2, 3, 4, 5].map(() => backoff.failed(settings));
    expect(waits).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
  });

  test("is up to a half less, at random, also after the first failure", () => {
    const backoff = new Backoff();
    const waits = [0.5, 0.5, 0.999].map(random => backoff.failed({ ...settings, random: () => random }));
    expect(waits).toEqual([750, 1_500, 2_002]);
  });

  test("is at most five seconds, then doubles up to thirty, while all endpoints are down", () => {
    const backoff = new Backoff();
    const slow = { ...settings, retryDelayMs: 60_000, maxRetryDelayMs: 300_000 };
    expect([1, 2, 3, 4, 5].map(() => backoff.failed(slow, true))).toEqual([
      5_000, 10_000, 20_000, 30_000, 30_000,
    ]);
    expect(new Backoff().failed({ ...slow, retryDelayMs: 1_000 }, true)).toBe(1_000);
  });

  test("keeps growing though the endpoint was up for a short time", () => {
    const backoff = new Backoff();
    backoff.failed(settings);
    backoff.recovered(1_000);
    backoff.failedAfterServing(1_999);
    expect(backoff.failed(settings)).toBe(2_000);
  });

  test("starts again when the endpoint has served for as long as the last delay", () => {
    const backoff = new Backoff();
    for (let i = 0; i < 2; i++) backoff.failed(settings);
    backoff.recovered(10_000);
    backoff.failedAfterServing(12_000);
    expect(backoff.failed(settings)).toBe(1_000);
  });

  test("is always a number, however often it fails", () => {
    const backoff = new Backoff();
    for (let i = 0; i < 2_000; i++) backoff.failed(settings);
    expect(backoff.failed(settings)).toBe(6_000);
  });
});

test("an endpoint that flaps is down for longer and longer", async () => {
  const { take, clock, log } = rig([a, b], { maxRetryDelayMs: 8_000, random: () => 0 });
  for (let flap = 0; flap < 30; flap++) {
    const lease = take();
    if (lease.endpoint.host === "a") lease.failed(refused);
    else lease.released();
    await clock.advance(1_000);
  }
  const waits = log.flatMap(line => /^down a for (\d+)/.exec(line)?.[1] ?? []);
  expect(waits).toEqual(["1000", "2000", "4000", "8000", "8000", "8000"]);
});

test("a pool whose endpoints are all down tries each after five seconds, and then less often", async () => {
  const tried: string[] = [];
  const { take, clock, log } = rig([a, b], {
    retryDelayMs: 60_000,
    maxRetryDelayMs: 60_000,
    probe: async ({ host }) => {
      tried.push(`${clock.now()} ${host}`);
      throw refused;
    },
  });
  take().failed(refused);
  await clock.advance(20_000);
  expect(tried).toEqual([]);
  take().failed(refused);
  expect(log.at(-1)).toBe("panic all-down a,b: connection refused");
  await clock.advance(35_000);
  expect(tried).toEqual(["25000 a", "25000 b", "35000 a", "35000 b", "55000 a", "55000 b"]);
  take(a).connected();
  await clock.advance(100_000);
  // The delay that had begun by then stays shortened; the next ones are full ones.
  expect(tried.slice(6)).toEqual(["85000 a", "145000 a"]);
});

test("pools whose endpoints all fail at the same moment do not try them in step", async () => {
  const random = seededRandom(1);
  const clock = manualClock();
  const tried: number[] = [];
  const probe = async (): Promise<never> => {
    tried.push(clock.now());
    throw refused;
  };
  for (let pool = 0; pool < 200; pool++) {
    const { take } = rig([a, b], { clock, probe, random, retryDelayMs: 60_000, maxRetryDelayMs: 60_000 });
    take().failed(refused);
    take().failed(refused);
  }
  await clock.advance(5_000);
  expect(tried.length).toBe(400);
  // Twenty-five parts of a tenth of a second have 16 each on average.
  const parts = Array.from(
    { length: 50 },
    (_, part) => tried.filter(at => Math.floor(at / 100) === part).length,
  );
  expect(parts.slice(0, 25).every(count => count === 0)).toBe(true);
  expect(Math.max(...parts)).toBeLessThan(40);
});

test.each([
  ["maxRetryDelayMs 500 is less than retryDelayMs 1000", { retryDelayMs: 1_000, maxRetryDelayMs: 500 }],
  ["maxRetryDelayMs 0 is not more than 0", { maxRetryDelayMs: 0 }],
  ["panicThreshold 1.5 is not between 0 and 1", { panicThreshold: 1.5 }],
  ["rebalance -1 is not between 0 and 1", { rebalance: -1 }],
  ["maxConnectionAgeMs -1 is not more than 0", { maxConnectionAgeMs: -1 }],
])("%s", (says, options) => {
  expect(() => rig([a], options)).toThrow(says);
});
