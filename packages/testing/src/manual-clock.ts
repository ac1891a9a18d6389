import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Clock } from "@gw/interface";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Timers that have neither run nor been cancelled. */
  readonly pending: number;
  /**
   * Moves time on by `ms` and runs what falls due on the way, each timer at its own time and in order.
   * Resolves when what the timers started, and what waited only for promises, has run too.
   */
  advance(ms: number): Promise<void>;
  /** Moves time on as for a process that was stopped meanwhile: what fell due runs late, all at the end. */
  pause(ms: number): Promise<void>;
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that starts at 0. */
export function manualClock(): ManualClock {
  let nowMs = 0;
  // In the order in which they were set, which decides between timers that are due at the same time.
  const timers = new Set<Timer>();
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await eventLoopTurn();
      for (let timer = nextOf(timers, untilMs); timer; timer = nextOf(timers, untilMs)) {
        nowMs = timer.dueMs;
        timers.delete(timer);
        timer.callback();
        await eventLoopTurn();
      }
      nowMs = untilMs;
    },
    async pause(ms) {
      nowMs += ms;
      await eventLoopTurn();
      for (let timer = nextOf(timers, nowMs); timer; timer = nextOf(timers, nowMs)) {
        timers.delete(timer);
        timer.callback();
        await eventLoopTurn();
      }
    },
  };
}

function nextOf(timers: ReadonlySet<Timer>, untilMs: number): Timer | undefined {
  const due = [...timers].filter(({ dueMs }) => dueMs <= untilMs);
  return due.sort((a, b) => a.dueMs - b.dueMs)[0];
}
