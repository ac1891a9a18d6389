import type { Clock } from "@gw/interface";

/** What waits for time to pass. */
export interface Ticking {
  /** Called now and then; `nowMs` is {@link Ticker.nowMs}. */
  tick(nowMs: number): void;
}

/** A sweep that is later than this was held up by a pause of this process, in milliseconds. */
const toleranceMs = 100;

/**
 * One timer for all that wait, in place of one for each. It runs only while somebody waits. A sweep comes after the
 * input that has arrived by then, and its time stands still while this process is paused (SIGSTOP, a virtual machine
 * that was stopped, a blocked event loop): nobody is blamed for what could not be seen.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #waiting = new Set<Ticking>();
  #periodMs = Infinity;
  /** When the next sweep is due, on the clock. */
  #dueMs = Infinity;
  #pausedMs = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The clock's time less that of pauses. */
  get nowMs(): number {
    const clockMs = this.#clock.now();
    const lateMs = clockMs - this.#dueMs;
    if (lateMs > toleranceMs) {
      this.#pausedMs += lateMs;
      this.#dueMs = clockMs;
    }
    return clockMs - this.#pausedMs;
  }

  /** Calls `swept` once in `periodMs` (at least 1), or more often if others need that, until it is deleted. */
  add(swept: Ticking, periodMs: number): void {
    this.#waiting.add(swept);
    if (periodMs >= this.#periodMs) return;
    // Counts a pause that the timer would have told of.
    void this.nowMs;
    this.#periodMs = Math.max(1, periodMs);
    this.#cancel();
    this.#wait();
  }

  delete(swept: Ticking): void {
    this.#waiting.delete(swept);
  }

  #wait(): void {
    this.#dueMs = this.#clock.now() + this.#periodMs;
    this.#cancel = this.#clock.after(this.#periodMs, () => {
      // The event loop reads sockets before it comes to this.
      const soon = setImmediate(() => this.#sweep());
      this.#cancel = () => clearImmediate(soon);
    });
  }

  #sweep(): void {
    const { nowMs } = this;
    if (this.#waiting.size === 0) {
      this.#periodMs = Infinity;
      this.#dueMs = Infinity;
      return;
    }
    this.#wait();
    for (const swept of this.#waiting) swept.tick(nowMs);
  }
}
