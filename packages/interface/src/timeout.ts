import type { Clock } from "./clock.js";

/** How often the clock is read to detect pauses while something waits, in milliseconds. */
const beatMs = 250;
/** A beat that is later than this is a pause; less is the usual delay of a busy event loop. In milliseconds. */
const toleranceMs = 100;
/** A process that is paused again and again must still time out at some point: a timeout is extended so often. */
const mostExtensions = 8;

/** For how long this process has been paused since tracking started. */
export interface PauseTracker {
  /** In milliseconds; grows by the length of each pause. Pauses of less than 350 ms may be missed. */
  pausedMs(): number;
  /** Ends tracking. Does nothing the second time. */
  stop(): void;
}

/**
 * Detects when this process did not run: it was stopped (SIGSTOP), its virtual machine was, it had no CPU, or its
 * event loop was blocked. Meanwhile others may have answered, and nobody here could see it. While anything tracks
 * pauses, a timer runs four times a second.
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
 * Runs `onTimeout` once when `timeoutMs` have passed in which this process ran, and after the input that has arrived
 * by then was handled: who answered while this process was paused is not late. A pause extends the timeout by its own
 * length, at most by `timeoutMs` at a time and eight times.
 *
 * For timeouts, which blame somebody; what is merely due at some time takes {@link Clock.after}.
 *
 * @returns cancels it
 */
export function startTimeout(clock: Clock, timeoutMs: number, onTimeout: () => void): () => void {
  const pauses = trackPauses(clock);
  let forgivenMs = pauses.pausedMs();
  let extensions = 0;
  let cancelWait = (): void => {};
  const cancel = (): void => {
    cancelWait();
    pauses.stop();
  };
  const due = (): void => {
    const pausedMs = pauses.pausedMs();
    const extensionMs = Math.min(pausedMs - forgivenMs, timeoutMs);
    forgivenMs = pausedMs;
    if (extensionMs > 0 && extensions < mostExtensions) {
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

/** How many timeouts run without other events in between: each may be followed by another dial. */
const atOnce = 32;
/** What waits for input that has arrived to be handled. */
const overdue = new Set<() => void>();

/** Runs `callback` when the event loop has read sockets once more; the function returned cancels it. */
function afterInput(callback: () => void): () => void {
  if (overdue.size === 0) setImmediate(runOverdue);
  overdue.add(callback);
  return () => overdue.delete(callback);
}

function runOverdue(): void {
  const first = [...overdue].slice(0, atOnce);
  try {
    for (const callback of first) if (overdue.delete(callback)) callback();
  } finally {
    if (overdue.size > 0) setImmediate(runOverdue);
  }
}

const meters = new WeakMap<Clock, PauseMeter>();

/** Shared by all who track pauses by the same clock. */
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

  /** Also between two beats, since who asks may be called before the beat that is late. */
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
