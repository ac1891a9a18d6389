import { expect, test } from "vitest";
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
  // Timers run in the order in which they fall due, so what is due later tells that the other did not run.
  await new Promise<void>(resolve => systemClock.after(2, resolve));
  expect(ran).toEqual([]);
});

test("waits keep no process alive", () => {
  const before = process.getActiveResourcesInfo();
  const cancel = systemClock.after(60_000, () => {});
  expect(process.getActiveResourcesInfo()).toEqual(before);
  cancel();
});
