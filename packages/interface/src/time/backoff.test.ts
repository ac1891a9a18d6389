import { expect, test } from "vitest";
import { backoffMs, withJitter } from "./backoff.js";

test("a delay doubles with each failure, up to the longest", () => {
  const delays = [1, 2, 3, 4, 5_000].map(failures => backoffMs(failures, { baseMs: 1_000, maxMs: 6_000 }));
  expect(delays).toEqual([1_000, 2_000, 4_000, 6_000, 6_000]);
});

test("jitter shortens a delay, but never below the base", () => {
  const options = { baseMs: 1_000, maxMs: 6_000, jitter: 0.2, random: () => 0.5 };
  expect([1, 2, 3].map(failures => backoffMs(failures, options))).toEqual([1_000, 1_800, 3_600]);
});

test("jitter lengthens a wait by up to a part of it", () => {
  expect([0, 0.5, 1].map(random => withJitter(1_000, 0.2, () => random))).toEqual([1_000, 1_100, 1_200]);
});
