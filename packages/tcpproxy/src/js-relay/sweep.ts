import type { Clock } from "@gw/interface";

/** What waits for time to pass. */
export interface Swept {
  /** Called now and then; `nowMs` is the clock's. */
  sweep(nowMs: number): void;
}

/** One timer for all that wait, in place of one for each. It runs only while somebody waits. */
export class Sweep {
  readonly #clock: Clock;
  readonly #waiting = new Set<Swept>();
  #periodMs = Infinity;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `swept` once in `periodMs` (at least 1), or more often if others need that, until it is deleted. */
  add(swept: Swept, periodMs: number): void {
    this.#waiting.add(swept);
    if (periodMs >= this.#periodMs) return;
    this.#periodMs = Math.max(1, periodMs);
    this.#cancel();
    this.#wait();
  }

  delete(swept: Swept): void {
    this.#waiting.delete(swept);
  }

  #wait(): void {
    this.#cancel = this.#clock.after(this.#periodMs, () => this.#sweep());
  }

  #sweep(): void {
    if (this.#waiting.size === 0) {
      this.#periodMs = Infinity;
      return;
    }
    this.#wait();
    const nowMs = this.#clock.now();
    for (const swept of this.#waiting) swept.sweep(nowMs);
  }
}
