import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "./clock.js";

test("the system's clock never goes backwards", () => {
  let last = systemClock.now();
  for (let i = 0; i < 10_000; i++) {
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});

test("the system's clock counts milliseconds", async () => {
  const [earliest, began, latest] = [performance.now(), systemClock.now(), performance.now()];
  await new Promise<void>(resolve => systemClock.after(5, resolve));
  const [earlier, ended, later] = [performance.now(), systemClock.now(), performance.now()];
  expect(ended - began).toBeGreaterThanOrEqual(earlier - latest);
  expect(ended - began).toBeLessThanOrEqual(later - earliest);
});

test("a wait that is cancelled never runs", async () => {
  const ran: string[] = [];
  const cancel = systemClock.after(1, () => ran.push("cancelled"));
  cancel();
  cancel();
  // Timers run in the order in which they fall due, so when the later one has run, the other was not run.
  await new Promise<void>(resolve => systemClock.after(2, resolve));
  expect(ran).toEqual([]);
});

test("waits do not keep a process alive", () => {
  const before = process.getActiveResourcesInfo();
  const cancel = systemClock.after(60_000, () => {});
  expect(process.getActiveResourcesInfo()).toEqual(before);
  cancel();
});

test("waits of any length cause no warning and do not end at once", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const ran: number[] = [];
  const waits = [2 ** 31 - 1, 2 ** 31, 2.2 * 2 ** 31, 1e15, Number.MAX_VALUE, Infinity];
  const cancels = waits.map(ms => systemClock.after(ms, () => ran.push(ms)));
  await new Promise<void>(resolve => systemClock.after(5, resolve));
  for (const cancel of cancels) cancel();
  await new Promise<void>(resolve => systemClock.after(1, resolve));
  process.off("warning", onWarning);
  expect({ ran, warnings }).toEqual({ ran: [], warnings: [] });
});

test("a negative wait ends soon, and one of NaN is rejected", async () => {
  await new Promise<void>(resolve => systemClock.after(-1e12, resolve));
  await new Promise<void>(resolve => systemClock.after(-Infinity, resolve));
  expect(() => systemClock.after(Number.NaN, () => {})).toThrow(RangeError);
});

describe("a long wait", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "hrtime"] }));
  afterEach(() => void vi.useRealTimers());

  test("takes exactly as long as requested", () => {
    const ms = 100 * 24 * 3_600_000;
    const ran = vi.fn();
    systemClock.after(ms, ran);
    vi.advanceTimersByTime(ms - 1);
    expect(ran).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(ran).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("can be cancelled at any time", () => {
    const ran = vi.fn();
    const cancel = systemClock.after(2 ** 32, ran);
    vi.advanceTimersByTime(2 ** 31);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
  });
});
