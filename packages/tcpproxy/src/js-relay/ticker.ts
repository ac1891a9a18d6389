import type { Clock } from "@gw/interface";
import { Bag } from "../bag.js";

/** What waits for time to pass. */
export interface Ticking {
  /** The ticker's own: it waits in one ticker at a time. */
  tickerPlace: number;
  /** Called now and then; `nowMs` is {@link Ticker.nowMs}. */
  tick(nowMs: number): void;
}

/** A tick that is later than this was delayed by a pause of this process, in milliseconds. */
const toleranceMs = 100;

/**
 * One timer for everything that waits, in place of one for each. It runs only while something waits. A tick comes after
 * the input that has arrived by then was handled, and its time stands still while this process is paused (SIGSTOP, a
 * virtual machine that was stopped, a blocked event loop): what a peer did meanwhile could not be read.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #waiting = new Bag<"tickerPlace", Ticking>("tickerPlace");
  #periodMs = Infinity;
  /** When the next tick is due, on the clock. */
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

  /** Ticks `ticking` every `periodMs` (at least 1), or more often if others need that, until it is deleted. */
  add(ticking: Ticking, periodMs: number): void {
    this.#waiting.add(ticking);
    if (periodMs >= this.#periodMs) return;
    // Counts a pause that the timer would have shown, before the timer is replaced.
    void this.nowMs;
    this.#periodMs = Math.max(1, periodMs);
    this.#cancel();
    this.#wait();
  }

  delete(ticking: Ticking): void {
    this.#waiting.delete(ticking);
  }

  #wait(): void {
    this.#dueMs = this.#clock.now() + this.#periodMs;
    this.#cancel = this.#clock.after(this.#periodMs, () => {
      // The event loop reads sockets before it comes to this.
      const afterInput = setImmediate(() => this.#tick());
      this.#cancel = () => clearImmediate(afterInput);
    });
  }

  #tick(): void {
    const { nowMs } = this;
    if (this.#waiting.size === 0) {
      this.#periodMs = Infinity;
      this.#dueMs = Infinity;
      return;
    }
    this.#wait();
    for (const ticking of this.#waiting) ticking.tick(nowMs);
  }
}
