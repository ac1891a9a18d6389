import { expect, test } from "vitest";
import { simulatedClock } from "../src/clock.js";

test("timers run in the order of their times, those of the same time in the order in which they were set", async () => {
  const clock = simulatedClock();
  const ran: string[] = [];
  for (const [name, ms] of [
    ["c", 20],
    ["a", 10],
    ["d", 20],
    ["b", 10],
    ["late", 31],
  ] as const)
    clock.after(ms, () => ran.push(`${clock.now()} ${name}`));
  await clock.run(30);
  expect(ran).toEqual(["10 a", "10 b", "20 c", "20 d"]);
  expect([clock.now(), clock.pending]).toEqual([30, 1]);
});

test("a timer that is cancelled does not run, whatever else is pending", async () => {
  const clock = simulatedClock();
  const ran = new Set<number>();
  const cancels = Array.from({ length: 1_000 }, (_, number) =>
    clock.after((number * 7_919) % 1_000, () => ran.add(number)),
  );
  for (const [number, cancel] of cancels.entries()) if (number % 3 === 0) cancel();
  await clock.run(1_000);
  expect(ran.size).toBe(666);
  expect([...ran].some(number => number % 3 === 0)).toBe(false);
  expect(clock.pending).toBe(0);
});

test("all promises settle before the next timer runs, however many follow each other", async () => {
  const clock = simulatedClock();
  const seen: number[] = [];
  let settled = 0;
  const chain = async (): Promise<void> => {
    for (let link = 0; link < 1_000; link++) await null;
    settled += 1;
  };
  for (let number = 0; number < 50; number++) {
    clock.after(number, () => void chain());
    clock.after(number, () => seen.push(settled));
  }
  await clock.run(100);
  expect(seen).toEqual(Array.from({ length: 50 }, (_, number) => number + 1));
});

test("immediates run within a millisecond", async () => {
  const clock = simulatedClock();
  const ran: number[] = [];
  for (let number = 0; number < 100; number++)
    clock.after(number * 10, () => setImmediate(() => ran.push(clock.now() - number * 10)));
  await clock.run(1_000);
  expect(ran).toHaveLength(100);
  expect(Math.max(...ran)).toBeLessThanOrEqual(1);
});

test("what a timer throws ends the run", async () => {
  const clock = simulatedClock();
  clock.after(5, () => {
    throw new Error("a mistake of a model");
  });
  await expect(clock.run(10)).rejects.toThrow("a mistake of a model");
});
