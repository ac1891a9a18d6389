import type { Clock } from "./clock.js";

/** How often the clock is read to detect pauses, in milliseconds. */
const beatMs = 50;
/**
 * A beat that is later than this is a pause, in milliseconds; less is the usual delay of a busy event loop. Short pauses add
 * up: where a container may run for a few milliseconds in each 100, or each turn of the event loop takes that long, a request
 * over TLS, which takes several turns, would exceed a timeout of half a second.
 */
const toleranceMs = 25;
/** How often a timeout is extended: it must end even if the process is paused repeatedly. */
const maxExtensions = 8;

/** How long this process has been paused since tracking started. */
export interface PauseTracker {
  /** In milliseconds; grows by the length of each pause. Pauses of less than 75 ms may be missed. */
  pausedMs(): number;
  /** Ends tracking. Does nothing the second time. */
  stop(): void;
}

/**
 * Detects when this process did not run: it was stopped (SIGSTOP), its virtual machine was paused, it had no CPU,
 * or its event loop was blocked. Answers may have arrived meanwhile. While pauses are tracked, a timer runs twenty times a
 * second.
 */
export function trackPauses(clock: Clock): PauseTracker {
  let meter = meters.get(clock);
  if (!meter) {
    meter = new PauseMeter(clock);
    meters.set(clock, meter);
  }
  return meter.track();
}

/**
 * Calls `onTimeout` once, after `timeoutMs` in which this process ran and after the input that has arrived by then was
 * handled: an answer that arrived while this process was paused is not late. A pause extends the timeout by its length, by
 * at most `timeoutMs` each time, and eight times at most.
 *
 * For timeouts whose end counts as a failure of another host; for all other waits, use {@link Clock.after}.
 *
 * @returns a function that cancels the timeout
 */
export function startTimeout(clock: Clock, timeoutMs: number, onTimeout: () => void): () => void {
  const pauses = trackPauses(clock);
  let countedMs = pauses.pausedMs();
  let extensions = 0;
  let cancelWait = (): void => {};
  const cancel = (): void => {
    cancelWait();
    pauses.stop();
  };
  const due = (): void => {
    const pausedMs = pauses.pausedMs();
    const extensionMs = Math.min(pausedMs - countedMs, timeoutMs);
    countedMs = pausedMs;
    if (extensionMs > 0 && extensions < maxExtensions) {
      extensions += 1;
      cancelWait = clock.after(extensionMs, due);
      return;
    }
    cancelWait = afterInput(() => {
      cancel();
      onTimeout();
    });
  };
  cancelWait = clock.after(timeoutMs, due);
  return cancel;
}

/** How many timeouts are handled per turn of the event loop: each may start another dial. */
const maxPerTurn = 32;
/** Timeouts that wait until the input that has arrived is handled. */
const overdue = new Set<() => void>();

/** Calls `callback` after the event loop has polled its sockets again; the function returned cancels it. */
function afterInput(callback: () => void): () => void {
  if (overdue.size === 0) setImmediate(runOverdue);
  overdue.add(callback);
  return () => overdue.delete(callback);
}

function runOverdue(): void {
  const first = [...overdue].slice(0, maxPerTurn);
  try {
    for (const callback of first) if (overdue.delete(callback)) callback();
  } finally {
    if (overdue.size > 0) setImmediate(runOverdue);
  }
}

const meters = new WeakMap<Clock, PauseMeter>();

/** Shared by all trackers with the same clock. */
class PauseMeter {
  readonly #clock: Clock;
  #users = 0;
  #lastBeatMs = 0;
  #pausedMs = 0;
  #cancel = (): void => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  track(): PauseTracker {
    if (this.#users === 0) {
      this.#lastBeatMs = this.#clock.now();
      this.#wait();
    }
    this.#users += 1;
    const startedMs = this.#read();
    let stopped = false;
    return {
      pausedMs: () => this.#read() - startedMs,
      stop: () => {
        if (stopped) return;
        stopped = true;
        this.#users -= 1;
        if (this.#users === 0) this.#cancel();
      },
    };
  }

  /** Also called between two beats, since a caller may run before the late beat. */
  #read(): number {
    const nowMs = this.#clock.now();
    const gapMs = nowMs - this.#lastBeatMs;
    if (gapMs > beatMs + toleranceMs) this.#pausedMs += gapMs - beatMs;
    this.#lastBeatMs = nowMs;
    return this.#pausedMs;
  }

  #wait(): void {
    this.#cancel = this.#clock.after(beatMs, () => {
      this.#read();
      this.#wait();
    });
  }
}
