import { describe, expect, test } from "vitest";
import { a, b, refused, rig } from "../../test/support.js";
import { Backoff } from "./backoff.js";

const settings = { retryDelayMs: 1_000, maxRetryDelayMs: 6_000, random: () => 0 };

describe("the delay after consecutive failures", () => {
  test("doubles each time, up to a limit", () => {
    const backoff = new Backoff();
    const waits = [1, 2, 3, 4, 5].map(() => backoff.failed(settings));
    expect(waits).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
  });

  test("is up to a fifth less, at random, but never less than the first", () => {
    const backoff = new Backoff();
    const waits = [0.5, 0.5, 0.999].map(random => backoff.failed({ ...settings, random: () => random }));
    expect(waits).toEqual([1_000, 1_800, 3_201]);
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

test("a pool whose endpoints are all down tries each at least every five seconds", async () => {
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
  await clock.advance(10_000);
  expect(tried).toEqual(["25000 a", "25000 b", "30000 a", "30000 b"]);
  take(a).connected();
  await clock.advance(60_000);
  // The delay that had begun by then stays shortened; the next one is a full one.
  expect(tried.slice(4)).toEqual(["35000 a"]);
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
