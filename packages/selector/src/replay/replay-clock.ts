import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Clock } from "@gw/interface";

/** A clock that a replay advances. */
export interface ReplayClock extends Clock {
  /**
   * Runs the timers that are due until `ms`, in order, and what they start.
   *
   * @param isOver asked after each timer
   * @returns false if it was over
   */
  advanceTo(ms: number, isOver: () => boolean): Promise<boolean>;
  /** Lets what waits for promises run. */
  turn(): Promise<void>;
}

export function createReplayClock(fromMs: number): ReplayClock {
  let nowMs = fromMs;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advanceTo(ms, isOver) {
      for (let timer = nextOf(timers, ms); timer; timer = nextOf(timers, ms)) {
        if (isOver()) return false;
        nowMs = Math.max(nowMs, timer.dueMs);
        timers.delete(timer);
        timer.callback();
        await eventLoopTurn();
      }
      nowMs = Math.max(nowMs, ms);
      return true;
    },
    turn: () => eventLoopTurn(),
  };
}

function nextOf<Timer extends { readonly dueMs: number }>(
  timers: ReadonlySet<Timer>,
  ms: number,
): Timer | undefined {
  let next: Timer | undefined;
  for (const timer of timers) if (timer.dueMs <= ms && (!next || timer.dueMs < next.dueMs)) next = timer;
  return next;
}
