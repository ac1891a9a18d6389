import { expect, test } from "vitest";
import { createGetaddrinfo, getaddrinfo } from "../index.js";
import type { Clock } from "../time/clock.js";

/** A clock that advances only when the test runs a timer. */
function stoppedClock(): Clock & { fire(): void } {
  let nowMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    fire() {
      for (const timer of [...timers].sort((one, other) => one.dueMs - other.dueMs)) {
        if (!timers.delete(timer)) continue;
        nowMs = timer.dueMs;
        timer.callback();
      }
    },
  };
}

/** The system's look-ups, which the test answers. */
function rig() {
  const asked: string[] = [];
  const answers = new Map<string, { answer: (addresses: string[]) => void; fail: (error: Error) => void }>();
  const clock = stoppedClock();
  const lookup = (host: string): Promise<readonly string[]> => {
    asked.push(host);
    return new Promise((answer, fail) => answers.set(host, { answer, fail }));
  };
  return { asked, answers, clock, ask: createGetaddrinfo({ lookup, clock, concurrency: 2 }) };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test("two look-ups run at a time, each for all callers with its name", async () => {
  const { asked, answers, ask } = rig();
  const all = ["a", "b", "c", "a"].map(host => ask(host));
  expect(asked).toEqual(["a", "b"]);
  answers.get("a")?.answer(["10.0.0.1"]);
  await turn();
  expect(asked).toEqual(["a", "b", "c"]);
  answers.get("b")?.answer(["10.0.0.2"]);
  answers.get("c")?.answer(["10.0.0.3"]);
  expect(await Promise.all(all)).toEqual([["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"], ["10.0.0.1"]]);
});

test("names that failed come last, and never occupy all threads", async () => {
  const { asked, answers, ask } = rig();
  for (const host of ["dead1", "dead2", "dead3"]) {
    const failed = expect(ask(host)).rejects.toMatchObject({ code: "name-not-resolved" });
    answers.get(host)?.fail(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    await failed;
  }
  asked.length = 0;
  for (const host of ["dead1", "dead2", "dead3", "good1", "good2"]) void ask(host).catch(() => {});
  expect(asked).toEqual(["dead1", "good1"]);
  answers.get("good1")?.answer([]);
  await turn();
  expect(asked).toEqual(["dead1", "good1", "good2"]);
  answers.get("good2")?.answer([]);
  await turn();
  expect(asked).toHaveLength(3);
});

test("a caller that waits too long gets an error, and a queued look-up without callers is not started", async () => {
  const { asked, answers, clock, ask } = rig();
  const failures = ["a", "b", "c"].map(host =>
    expect(ask(host)).rejects.toMatchObject({
      code: "timed-out",
      detail: `look up "${host}": no answer within 10000 ms`,
    }),
  );
  // Timeouts run after the input that has arrived.
  for (let round = 0; round < 60; round++) {
    clock.fire();
    await turn();
  }
  await Promise.all(failures);
  const later = ask("d");
  expect(asked).toEqual(["a", "b"]);
  answers.get("a")?.answer(["10.0.0.1"]);
  await turn();
  expect(asked).toEqual(["a", "b", "d"]);
  answers.get("d")?.answer(["10.0.0.4"]);
  expect(await later).toEqual(["10.0.0.4"]);
});

test("the default resolves this machine", async () => {
  expect(await getaddrinfo("localhost")).toEqual(
    expect.arrayContaining([expect.stringMatching(/^(127\.|::1)/)]),
  );
});
