import { manualClock } from "@gw/testing";
import { expect, test, vi } from "vitest";
import { Ticker, type Ticking } from "./ticker.js";

/** Records the times of its ticks. */
class Record implements Ticking {
  tickerPlace = 0;
  readonly times: number[] = [];

  tick(nowMs: number): void {
    this.times.push(nowMs);
  }
}

test("all that wait get ticks in the shortest period that one of them needs", async () => {
  const clock = manualClock();
  const ticker = new Ticker(clock);
  const [slow, fast] = [new Record(), new Record()];
  ticker.add(slow, 100);
  await clock.advance(50);
  ticker.add(fast, 10);
  await clock.advance(20);
  expect(slow.times).toEqual([60, 70]);
  expect(fast.times).toEqual([60, 70]);
  expect(clock.pending).toBe(1);
});

test("no timer runs when nothing waits any more", async () => {
  const clock = manualClock();
  const ticker = new Ticker(clock);
  const record = new Record();
  ticker.add(record, 10);
  await clock.advance(10);
  ticker.delete(record);
  await clock.advance(10);
  expect(clock.pending).toBe(0);
  ticker.add(record, 10);
  await clock.advance(10);
  expect(record.times).toEqual([10, 30]);
});

test("a tick that throws does not stop the ticker", async () => {
  const clock = manualClock();
  const ticker = new Ticker(clock);
  ticker.add(
    {
      tickerPlace: 0,
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
  const ticker = new Ticker(clock);
  const record = new Record();
  ticker.add(record, 10);
  await steady.advance(10);
  pausedMs = 60_000;
  await steady.advance(10);
  expect(ticker.nowMs).toBe(20);
  pausedMs += 60_000;
  ticker.add(new Record(), 5);
  await steady.advance(5);
  // Up to when a tick was due is not part of a pause.
  expect(record.times).toEqual([10, 20, 35]);
});
