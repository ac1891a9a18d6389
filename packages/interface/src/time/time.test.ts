import { describe, expect, test } from "vitest";
import { systemClock } from "./clock.js";
import { aborted, sleep, startDeadline, withTimeout } from "./time.js";

const never = new AbortController().signal;

describe("sleep", () => {
  test("resolves after its time", async () => {
    const startedMs = systemClock.now();
    await sleep(20, systemClock, never);
    expect(systemClock.now() - startedMs).toBeGreaterThanOrEqual(19);
  });

  test("resolves at once when its signal is aborted, also before", async () => {
    const stop = new AbortController();
    const sleeping = sleep(Infinity, systemClock, stop.signal);
    stop.abort();
    await sleeping;
    await sleep(Infinity, systemClock, stop.signal);
  });
});

test("aborted resolves when the signal is, also before", async () => {
  const stop = new AbortController();
  const waiting = aborted(stop.signal);
  stop.abort();
  await waiting;
  await aborted(stop.signal);
});

describe("withTimeout", () => {
  test("settles as the operation does, and releases its resources", async () => {
    let released = 0;
    const release = (): void => {
      released += 1;
    };
    const run = <T>(begin: Parameters<typeof withTimeout<T>>[1]): Promise<T> =>
      withTimeout({ clock: systemClock, timeoutMs: 10_000 }, begin);
    expect(
      await run(resolve => {
        setImmediate(resolve, "answer");
        return release;
      }),
    ).toBe("answer");
    await expect(
      run((_, reject) => {
        setImmediate(reject, new Error("broken"));
        return release;
      }),
    ).rejects.toThrow("broken");
    expect(released).toBe(2);
  });

  test("rejects after the timeout, and when it is aborted", async () => {
    let released = 0;
    const hang = (): (() => void) => () => {
      released += 1;
    };
    await expect(withTimeout({ clock: systemClock, timeoutMs: 5 }, hang)).rejects.toMatchObject({
      code: "timed-out",
      detail: "no answer within 5 ms",
    });
    const stop = new AbortController();
    const limits = { clock: systemClock, timeoutMs: 10_000, signal: stop.signal };
    const running = withTimeout(limits, hang);
    stop.abort(new Error("no longer wanted"));
    await expect(running).rejects.toThrow("no longer wanted");
    await expect(withTimeout(limits, hang)).rejects.toThrow("no longer wanted");
    expect(released).toBe(2);
  });
});

describe("a deadline", () => {
  test("rejects bounded promises, and passes on late results", async () => {
    const deadline = startDeadline("probe a:1", { timeoutMs: 5, clock: systemClock, signal: never });
    let settle = (_: string): void => {};
    const late = new Promise<string>(resolve => {
      const bounded = deadline.bound(
        new Promise<string>(done => {
          settle = done;
        }),
        resolve,
      );
      bounded.catch(error => {
        expect(error).toMatchObject({ code: "timed-out", detail: "probe a:1: no answer within 5 ms" });
        settle("late");
      });
    });
    expect(await late).toBe("late");
    deadline.cancel();
  });

  test("ends when its signal is aborted", async () => {
    const stop = new AbortController();
    const deadline = startDeadline("probe a:1", {
      timeoutMs: 10_000,
      clock: systemClock,
      signal: stop.signal,
    });
    const bounded = deadline.bound(new Promise(() => {}), () => {});
    stop.abort();
    await expect(bounded).rejects.toMatchObject({ code: "aborted", detail: "probe a:1: given up" });
    deadline.cancel();
  });
});
