import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { createTimeSlices } from "./time-slices.js";

/** Tasks that the test completes. */
function rig(maxWaiting = 100) {
  const clock = manualClock();
  const started: string[] = [];
  const running = new Map<string, (value: string) => void>();
  const inSlices = createTimeSlices({ concurrency: 2, maxWaiting, sliceMs: 100, clock });
  const run = (name: string, signal = new AbortController().signal): Promise<string> =>
    inSlices(
      slice =>
        new Promise((resolve, reject) => {
          started.push(name);
          running.set(name, resolve);
          slice.addEventListener("abort", () => {
            running.delete(name);
            reject(slice.reason);
          });
        }),
      signal,
    );
  return { clock, started, running, run };
}

test("a task that hangs is aborted for others, and repeated with twice the time", async () => {
  const { clock, started, running, run } = rig();
  const all = ["dead1", "dead2", "good1", "good2"].map(name => run(name));
  await clock.advance(99);
  expect(started).toEqual(["dead1", "dead2"]);
  await clock.advance(1);
  expect(started).toEqual(["dead1", "dead2", "good1", "good2"]);
  running.get("good1")?.("one");
  running.get("good2")?.("two");
  expect(await Promise.all(all.slice(2))).toEqual(["one", "two"]);
  await clock.advance(0);
  expect(started.slice(4)).toEqual(["dead1", "dead2"]);
  const late = run("late");
  await clock.advance(99);
  expect(started).not.toContain("late");
  await clock.advance(1);
  expect(started).toContain("late");
  running.get("late")?.("three");
  expect(await late).toBe("three");
  await clock.advance(0);
  for (const name of ["dead1", "dead2"]) running.get(name)?.(name);
  expect(await Promise.all(all)).toEqual(["dead1", "dead2", "one", "two"]);
  expect(clock.pending).toBe(0);
});

test("a task that hangs goes on while no other waits", async () => {
  const { clock, started, running, run } = rig();
  const slow = run("slow");
  await clock.advance(100_000);
  running.get("slow")?.("done");
  expect(await slow).toBe("done");
  expect(started).toEqual(["slow"]);
});

test("an aborted task is rejected, whether it waits or runs, and leaves no timer", async () => {
  const { clock, started, run } = rig();
  const aborts = ["a", "b", "c"].map(name => ({ name, abort: new AbortController() }));
  const all = aborts.map(({ name, abort }) => expect(run(name, abort.signal)).rejects.toBe(name));
  for (const { name, abort } of aborts.toReversed()) abort.abort(name);
  await Promise.all(all);
  await expect(run("d", AbortSignal.abort("before"))).rejects.toBe("before");
  expect(started).toEqual(["a", "b"]);
  await clock.advance(1_000);
  expect(clock.pending).toBe(0);
});

test("an error is passed on, and too many tasks are rejected", async () => {
  const inSlices = createTimeSlices({ concurrency: 1, maxWaiting: 1, sliceMs: 100, clock: manualClock() });
  const { signal } = new AbortController();
  await expect(inSlices(() => Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  const end = new AbortController();
  const hanging = () => new Promise<never>(() => {});
  void inSlices(hanging, end.signal).catch(() => {});
  void inSlices(hanging, end.signal).catch(() => {});
  await expect(inSlices(hanging, signal)).rejects.toMatchObject({ code: "out-of-resources" });
});
