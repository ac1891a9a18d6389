import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { takingTurns } from "./time-slices.js";

/** Work of which the test says when it is done. */
function rig(maxWaiting = 100) {
  const clock = manualClock();
  const begun: string[] = [];
  const running = new Map<string, (value: string) => void>();
  const inTurn = takingTurns({ atOnce: 2, maxWaiting, sliceMs: 100, clock });
  const run = (name: string, signal = new AbortController().signal): Promise<string> =>
    inTurn(
      turn =>
        new Promise((resolve, reject) => {
          begun.push(name);
          running.set(name, resolve);
          turn.addEventListener("abort", () => {
            running.delete(name);
            reject(turn.reason);
          });
        }),
      signal,
    );
  return { clock, begun, running, run };
}

test("what hangs makes room for others, and comes again for twice as long", async () => {
  const { clock, begun, running, run } = rig();
  const all = ["dead1", "dead2", "good1", "good2"].map(name => run(name));
  await clock.advance(99);
  expect(begun).toEqual(["dead1", "dead2"]);
  await clock.advance(1);
  expect(begun).toEqual(["dead1", "dead2", "good1", "good2"]);
  running.get("good1")?.("one");
  running.get("good2")?.("two");
  expect(await Promise.all(all.slice(2))).toEqual(["one", "two"]);
  await clock.advance(0);
  expect(begun.slice(4)).toEqual(["dead1", "dead2"]);
  const late = run("late");
  await clock.advance(99);
  expect(begun).not.toContain("late");
  await clock.advance(1);
  expect(begun).toContain("late");
  running.get("late")?.("three");
  expect(await late).toBe("three");
  await clock.advance(0);
  for (const name of ["dead1", "dead2"]) running.get(name)?.(name);
  expect(await Promise.all(all)).toEqual(["dead1", "dead2", "one", "two"]);
  expect(clock.pending).toBe(0);
});

test("what hangs may go on while nobody waits", async () => {
  const { clock, begun, running, run } = rig();
  const slow = run("slow");
  await clock.advance(100_000);
  running.get("slow")?.("done");
  expect(await slow).toBe("done");
  expect(begun).toEqual(["slow"]);
});

test("who gives up is rejected, waiting or running, and leaves nothing behind", async () => {
  const { clock, begun, run } = rig();
  const aborts = ["a", "b", "c"].map(name => ({ name, abort: new AbortController() }));
  const all = aborts.map(({ name, abort }) => expect(run(name, abort.signal)).rejects.toBe(name));
  for (const { name, abort } of aborts.toReversed()) abort.abort(name);
  await Promise.all(all);
  await expect(run("d", AbortSignal.abort("before"))).rejects.toBe("before");
  expect(begun).toEqual(["a", "b"]);
  await clock.advance(1_000);
  expect(clock.pending).toBe(0);
});

test("an error is the caller's, and too many are refused", async () => {
  const inTurn = takingTurns({ atOnce: 1, maxWaiting: 1, sliceMs: 100, clock: manualClock() });
  const { signal } = new AbortController();
  await expect(inTurn(() => Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  const end = new AbortController();
  const hanging = () => new Promise<never>(() => {});
  void inTurn(hanging, end.signal).catch(() => {});
  void inTurn(hanging, end.signal).catch(() => {});
  await expect(inTurn(hanging, signal)).rejects.toMatchObject({ code: "out-of-resources" });
});
