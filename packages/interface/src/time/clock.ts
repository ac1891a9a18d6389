/** The source of time for all waits; tests use their own. */
export interface Clock {
  /** Milliseconds from an arbitrary point; never goes backwards. */
  now(): number;
  /**
   * Calls `callback` once after `delayMs`; the function returned cancels it. A negative delay counts as 0; with
   * `Infinity` it is never called.
   *
   * @throws {RangeError} if `delayMs` is NaN
   */
  after(delayMs: number, callback: () => void): () => void;
}

/**
 * The longest delay of one Node timer, in milliseconds: about 12 days. Node supports up to 2³¹ − 1 and fires longer timers
 * at once, so longer waits use several timers.
 */
const longestTimerMs = 2 ** 30;

/** Real time. Its waits do not keep a process alive, and may be of any length. */
export const systemClock: Clock = {
  now: monotonicMs,
  after(delayMs, callback) {
    if (Number.isNaN(delayMs)) throw new RangeError("a wait of NaN ms");
    if (delayMs === Infinity) return () => {};
    if (delayMs <= longestTimerMs) {
      const timer = setTimeout(callback, Math.max(0, delayMs)).unref();
      return () => clearTimeout(timer);
    }
    const dueMs = monotonicMs() + delayMs;
    let cancel = (): void => {};
    const step = (): void => {
      const leftMs = dueMs - monotonicMs();
      cancel = systemClock.after(Math.min(leftMs, longestTimerMs), leftMs > longestTimerMs ? step : callback);
    };
    step();
    return () => cancel();
  },
};

/** Without `performance`, whose modules take 2 ms of the start of a process. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}
