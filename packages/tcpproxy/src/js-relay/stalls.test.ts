import { type ManualClock, manualClock } from "@gw/testing";
import { beforeEach, expect, test } from "vitest";
import type { Direction } from "./direction.js";
import { Stalls } from "./stalls.js";
import { Ticker } from "./ticker.js";

// When it is, on a manual clock. What a wait is, the compliance suite demands.

const timeoutMs = 1_600;
const tickMs = timeoutMs / 16;

let clock: ManualClock;
/** Added to the time of the clock, while no timer runs. */
let pausedMs: number;
let backend: { bytes: number; eof: boolean; hasPending: boolean };
let stalls: Stalls;
let reportedAtMs: number[];
beforeEach(() => {
  clock = manualClock();
  pausedMs = 0;
  backend = { bytes: 0, eof: false, hasPending: false };
  reportedAtMs = [];
  const ticker = new Ticker({ now: () => clock.now() + pausedMs, after: clock.after });
  stalls = new Stalls(backend as Direction, timeoutMs, ticker, {
    onStalled: () => reportedAtMs.push(clock.now()),
  });
});

function ask(): void {
  stalls.onRead(true);
}

function answer(): void {
  backend.bytes += 1;
  stalls.onRead(false);
}

test("the first wait is timed at once, and reported within a tick", async () => {
  await clock.advance(30);
  ask();
  await clock.advance(timeoutMs - 1);
  expect(reportedAtMs).toEqual([]);
  expect(stalls.waitingMs).toBe(timeoutMs - 1);
  await clock.advance(tickMs);
  expect(reportedAtMs).toEqual([30 + timeoutMs]);
  await clock.advance(10 * timeoutMs);
  expect(reportedAtMs.length).toBe(1);
  expect(stalls.waitingMs).toBe(11 * timeoutMs + tickMs - 1);
});

test.each([1, 50, 99])("a wait that begins %i ms after a tick is reported up to two ticks late", async ms => {
  ask();
  await clock.advance(tickMs + ms);
  answer();
  ask();
  await clock.advance(timeoutMs - 1);
  expect(reportedAtMs).toEqual([]);
  await clock.advance(2 * tickMs + 1);
  expect(reportedAtMs.length).toBe(1);
});

test("without traffic, and once a wait is reported, no timer runs", async () => {
  ask();
  answer();
  await clock.advance(2 * tickMs);
  expect(clock.pending).toBe(0);
  ask();
  await clock.advance(timeoutMs + 2 * tickMs);
  expect(reportedAtMs.length).toBe(1);
  expect(clock.pending).toBe(0);
  ask();
  await clock.advance(2 * tickMs);
  expect([reportedAtMs.length, clock.pending]).toEqual([1, 0]);
});

test("the time of a pause of this process does not count", async () => {
  ask();
  await clock.advance(tickMs);
  pausedMs = 10 * timeoutMs;
  await clock.advance(timeoutMs - tickMs - 1);
  expect(reportedAtMs).toEqual([]);
  expect(stalls.waitingMs).toBe(timeoutMs - 1);
  await clock.advance(2 * tickMs);
  expect(reportedAtMs.length).toBe(1);
});

test("a wait begins when bytes are held back no longer", async () => {
  answer();
  backend.hasPending = true;
  ask();
  await clock.advance(10 * timeoutMs);
  expect([reportedAtMs, stalls.waitingMs]).toEqual([[], undefined]);
  backend.hasPending = false;
  await clock.advance(timeoutMs - tickMs);
  expect(reportedAtMs).toEqual([]);
  await clock.advance(2 * tickMs);
  expect(reportedAtMs.length).toBe(1);
});

test("it is known when the backend last sent a byte, whether clients send or not", async () => {
  expect(stalls.answeredMs).toBeUndefined();
  answer();
  await clock.advance(5_000);
  expect(stalls.answeredMs).toBe(5_000);
  answer();
  expect(stalls.answeredMs).toBe(0);
  ask();
  await clock.advance(500);
  expect(stalls.answeredMs).toBe(500);
});
