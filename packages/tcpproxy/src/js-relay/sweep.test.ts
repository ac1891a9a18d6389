import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { Sweep, type Swept } from "./sweep.js";

/** Keeps the times at which it was swept. */
class Record implements Swept {
  readonly times: number[] = [];

  sweep(nowMs: number): void {
    this.times.push(nowMs);
  }
}

test("all that wait are swept in the period of the least patient", async () => {
  const clock = manualClock();
  const sweep = new Sweep(clock);
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
  const sweep = new Sweep(clock);
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
  const sweep = new Sweep(clock);
  sweep.add(
    {
      sweep() {
        throw new Error("no");
      },
    },
    10,
  );
  await expect(clock.advance(10)).rejects.toThrow("no");
  expect(clock.pending).toBe(1);
});
