/** The source of time of everything that waits; tests put their own in its place. */
export interface Clock {
  /** Milliseconds from an arbitrary point; never goes backwards. */
  now(): number;
  /** Runs `callback` once after `delayMs`; the function returned cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Real time. Its waits do not keep a process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
