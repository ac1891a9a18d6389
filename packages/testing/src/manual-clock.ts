import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Clock } from "@gw/interface";

/** A clock that advances only when a test advances it. */
export interface ManualClock extends Clock {
  /** Timers that have neither run nor been cancelled. */
  readonly pending: number;
  /**
   * Advances time by `ms` and runs the timers that fall due, each at its own time and in order. Resolves when
   * what they started has run as well, as far as it waits only for promises.
   */
  advance(ms: number): Promise<void>;
  /** Advances time as for a process that is stopped meanwhile: timers that fell due run late, at the end. */
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
