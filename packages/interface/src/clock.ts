/** The source of time of everything that waits; tests put their own in its place. */
export interface Clock {
  /** Milliseconds from an arbitrary point; never goes backwards. */
  now(): number;
  /**
   * Runs `callback` once after `delayMs`; the function returned cancels it. Less than 0 counts as 0, and after
   * `Infinity` nothing ever runs.
   *
   * @throws {RangeError} if `delayMs` is NaN
   */
  after(delayMs: number, callback: () => void): () => void;
}

/**
 * The longest wait that is given to a timer of Node, in milliseconds: about 12 days. Node takes up to 2³¹ − 1 and
 * fires at once beyond that, so that longer waits take several timers.
 */
const longestTimerMs = 2 ** 30;

/** Real time. Its waits do not keep a process alive, and may be of any length. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    if (Number.isNaN(delayMs)) throw new RangeError("a wait of NaN ms");
    if (delayMs === Infinity) return () => {};
    if (delayMs <= longestTimerMs) {
      const timer = setTimeout(callback, Math.max(0, delayMs)).unref();
      return () => clearTimeout(timer);
    }
    const dueMs = performance.now() + delayMs;
    let cancel = (): void => {};
    const step = (): void => {
      const leftMs = dueMs - performance.now();
      cancel = systemClock.after(Math.min(leftMs, longestTimerMs), leftMs > longestTimerMs ? step : callback);
    };
    step();
    return () => cancel();
  },
};
