import { expect, test } from "vitest";
import { a, rig, seededRandom } from "../../../test/support.js";

test("connections are closed around their age, a tenth more or less, spread evenly over that time", async () => {
  const maxConnectionAgeMs = 100_000;
  const { take, clock } = rig([a], { maxConnectionAgeMs, random: seededRandom(7) });
  const leases = Array.from({ length: 1_000 }, () => take());
  for (const lease of leases) lease.connected();
  const closed = (): number => leases.filter(({ revoked }) => revoked.length > 0).length;
  await clock.advance(89_999);
  expect(closed()).toBe(0);
  const counts: number[] = [];
  for (let part = 0; part < 4; part++) {
    const before = closed();
    await clock.advance(5_000);
    counts.push(closed() - before);
  }
  for (const count of counts) expect(count).toBeGreaterThan(200);
  await clock.advance(1_000);
  expect(closed()).toBe(1_000);
  expect(leases[0]?.revoked[0]?.detail).toBe("the connection is older than connections may become");
});

test("those that are younger stay open, and those that have ended are forgotten", async () => {
  const { pool, take, clock, log } = rig([a], { maxConnectionAgeMs: 10_000, random: () => 0 });
  const [old, ended] = [take(), take()];
  old.connected();
  ended.connected();
  await clock.advance(5_000);
  const young = take();
  young.connected();
  ended.released();
  await clock.advance(5_000);
  expect([old, ended, young].map(({ revoked }) => revoked.length)).toEqual([1, 0, 0]);
  expect(log).toEqual(["recycling 1 of a for age"]);
  pool.close();
  expect(clock.pending).toBe(0);
});

test("a pause of this process is no reason to close all that would have grown old meanwhile", async () => {
  const maxConnectionAgeMs = 100_000;
  const { take, clock } = rig([a], { maxConnectionAgeMs, random: seededRandom(7) });
  const leases = Array.from({ length: 1_000 }, () => take());
  for (const lease of leases) lease.connected();
  const closed = (): number => leases.filter(({ revoked }) => revoked.length > 0).length;
  await clock.advance(50_000);
  await clock.pause(3_600_000);
  await clock.advance(35_000);
  expect(closed()).toBe(0);
  await clock.advance(10_000);
  expect(closed()).toBeGreaterThan(100);
  expect(closed()).toBeLessThan(700);
});

test("without a limit no age is checked", () => {
  expect(rig([a]).clock.pending).toBe(0);
});
