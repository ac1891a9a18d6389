import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import { type Clock, systemClock } from "./clock.js";
import { startTimeout, trackPauses } from "./timeout.js";

/** Blocks for `ms`, as if the process had been stopped. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("a timeout ends after its time", async () => {
  const startedMs = systemClock.now();
  await new Promise<void>(resolve => startTimeout(systemClock, 20, resolve));
  expect(systemClock.now() - startedMs).toBeGreaterThanOrEqual(19);
});

test("a cancelled timeout never runs, even if it is already due", async () => {
  const ran: string[] = [];
  const clock = jumpingClock();
  const cancel = startTimeout(clock, 100, () => ran.push("first"));
  clock.run(100);
  cancel();
  startTimeout(clock, 100, () => ran.push("second"))();
  clock.run(1_000);
  await new Promise<void>(resolve => setImmediate(resolve));
  expect(ran).toEqual([]);
  expect(clock.timers.size).toBe(0);
});

test("input that arrived while the event loop was blocked is handled before the timeout", async () => {
  const server = createServer((_, response) => response.end("answer"));
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const first = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("GET / HTTP/1.0\r\n\r\n");
      startTimeout(systemClock, 100, () => resolve("timeout"));
      // The server is in this process: it answers after the block, later than the timeout.
      setImmediate(() => block(500));
    });
    socket.once("data", () => resolve("answer"));
    socket.on("error", reject);
  });
  server.close();
  expect(first).toBe("answer");
});

test("a pause extends a timeout by its length, at most by the timeout itself", async () => {
  for (const [pausedMs, earliestMs] of [
    [3_000, 7_750],
    [3_600_000, 3_606_000],
  ] as const) {
    const clock = jumpingClock();
    let overAtMs: number | undefined;
    startTimeout(clock, 5_000, () => {
      overAtMs = clock.now();
    });
    clock.run(1_000);
    clock.jump(pausedMs);
    for (let step = 0; step < 80 && overAtMs === undefined; step++) {
      clock.run(250);
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    expect(overAtMs).toBeGreaterThanOrEqual(earliestMs);
    expect(overAtMs).toBeLessThanOrEqual(earliestMs + 500);
  }
});

test("short pauses that add up extend a timeout, those of a usual event loop do not", async () => {
  for (const [pauseMs, earliestMs, latestMs] of [
    [90, 900, 2_000],
    [40, 500, 600],
  ] as const) {
    const clock = jumpingClock();
    let overAtMs: number | undefined;
    startTimeout(clock, 500, () => {
      overAtMs = clock.now();
    });
    while (overAtMs === undefined) {
      clock.jump(pauseMs);
      clock.run(10);
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    expect(overAtMs).toBeGreaterThanOrEqual(earliestMs);
    expect(overAtMs).toBeLessThanOrEqual(latestMs);
  }
});

test("a process that is paused repeatedly times out in the end", async () => {
  const clock = jumpingClock();
  let over = false;
  startTimeout(clock, 1_000, () => {
    over = true;
  });
  for (let pauses = 0; pauses < 20; pauses++) {
    clock.jump(10_000);
    clock.run(0);
    await new Promise<void>(resolve => setImmediate(resolve));
  }
  expect(over).toBe(true);
});

test("pauses are counted from the start of tracking, and tracking leaves no timer", () => {
  const clock = jumpingClock();
  const first = trackPauses(clock);
  clock.run(10_000);
  expect(first.pausedMs()).toBe(0);
  clock.jump(2_000);
  const second = trackPauses(clock);
  expect(first.pausedMs()).toBeGreaterThanOrEqual(1_750);
  expect(second.pausedMs()).toBe(0);
  first.stop();
  first.stop();
  expect(clock.timers.size).toBe(1);
  second.stop();
  expect(clock.timers.size).toBe(0);
});

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that can jump, as time does for a process that was stopped: what was due meanwhile runs late. */
function jumpingClock() {
  let nowMs = 0;
  const timers = new Set<Timer>();
  const next = (): Timer | undefined =>
    [...timers].filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  const runDue = (): void => {
    for (let timer = next(); timer; timer = next()) {
      timers.delete(timer);
      timer.callback();
    }
  };
  const clock: Clock = {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  return {
    ...clock,
    timers,
    jump(ms: number) {
      nowMs += ms;
    },
    run(ms: number) {
      const untilMs = nowMs + ms;
      runDue();
      while (nowMs < untilMs) {
        nowMs += 1;
        runDue();
      }
    },
  };
}

test("hundreds of simultaneous timeouts let other events run in between", async () => {
  const counts: number[] = [];
  let run = 0;
  for (let i = 0; i < 100; i++) startTimeout(systemClock, 1, () => (run += 1));
  const cancel = startTimeout(systemClock, 1, () => (run += 1_000));
  await new Promise<void>(resolve => {
    const count = (): void => {
      if (run > 0 && counts.at(-1) !== run) counts.push(run);
      if (run > 60) cancel();
      if (run < 100) setImmediate(count);
      else resolve();
    };
    count();
  });
  expect(counts.at(-1)).toBe(100);
  for (const [index, count] of counts.entries())
    expect(count - (counts[index - 1] ?? 0)).toBeLessThanOrEqual(64);
});
