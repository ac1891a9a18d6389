import { manualClock } from "@gw/testing";
import { expect, test, vi } from "vitest";
import { Ticker, type Ticking } from "./ticker.js";

/** Keeps the times at which it was swept. */
class Record implements Ticking {
  readonly times: number[] = [];

  tick(nowMs: number): void {
    this.times.push(nowMs);
  }
}

test("all that wait are swept in the period of the least patient", async () => {
  const clock = manualClock();
  const sweep = new Ticker(clock);
  const [patient, hasty] = [new Record(), new Record()];
  sweep.add(patient, 100);
  await clock.advance(50);
  sweep.add(hasty, 10);
  await clock.advance(20);
  expect(patient.times).toEqual([60, 70]);
  expect(hasty.times).toEqual([60, 70]);
  expect(clock.pending).toBe(1);
});

test("no timer runs when nobody waits any more", async () => {
  const clock = manualClock();
  const sweep = new Ticker(clock);
  const record = new Record();
  sweep.add(record, 10);
  await clock.advance(10);
  sweep.delete(record);
  await clock.advance(10);
  expect(clock.pending).toBe(0);
  sweep.add(record, 10);
  await clock.advance(10);
  expect(record.times).toEqual([10, 30]);
});

test("what throws does not end the sweep", async () => {
  const clock = manualClock();
  const sweep = new Ticker(clock);
  sweep.add(
    {
      tick() {
        throw new Error("no");
      },
    },
    10,
  );
  vi.useFakeTimers({ toFake: ["setImmediate"] });
  await clock.advance(10);
  expect(() => vi.runAllTimers()).toThrow("no");
  vi.useRealTimers();
  expect(clock.pending).toBe(1);
});

test("the time of a pause does not count", async () => {
  let pausedMs = 0;
  const steady = manualClock();
  const clock = { now: () => steady.now() + pausedMs, after: steady.after };
  const sweep = new Ticker(clock);
  const record = new Record();
  sweep.add(record, 10);
  await steady.advance(10);
  pausedMs = 60_000;
  await steady.advance(10);
  expect(sweep.nowMs).toBe(20);
  pausedMs += 60_000;
  sweep.add(new Record(), 5);
  await steady.advance(5);
  // Up to when a sweep was due is not part of a pause.
  expect(record.times).toEqual([10, 20, 35]);
});
