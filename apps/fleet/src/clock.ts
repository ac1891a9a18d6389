import type { Clock } from "@gw/interface";

/** The one clock of a simulation. It starts at 0, and advances only in {@link SimulatedClock.run}. */
export interface SimulatedClock extends Clock {
  /**
   * Like `after`, for callbacks of the models that neither wait for promises nor call code that does: after these nothing
   * has to settle, which makes them ten times cheaper.
   */
  tick(delayMs: number, callback: () => void): () => void;
  /** Timers that have neither run nor been cancelled. */
  readonly pending: number;
  /**
   * Runs all timers that are due by `untilMs`, each at its own time and in the order in which they were set. All promises
   * that a timer of `after` leads to settle before the next timer runs; immediates run within a millisecond.
   */
  run(untilMs: number): Promise<void>;
}

interface Timer {
  readonly dueMs: number;
  /** Decides between timers that are due at the same time. */
  readonly order: number;
  readonly callback: () => void;
  readonly settles: boolean;
  /** Its index in the heap; -1 once it is no longer there. */
  place: number;
}

/** A clock for millions of timers: setting, cancelling and running one takes time that grows with their logarithm. */
export function simulatedClock(): SimulatedClock {
  let nowMs = 0;
  let orders = 0;
  const timers = new TimerHeap();
  const set = (delayMs: number, callback: () => void, settles: boolean): (() => void) => {
    if (Number.isNaN(delayMs)) throw new RangeError("a wait of NaN ms");
    if (delayMs === Infinity) return () => {};
    const dueMs = nowMs + Math.max(0, delayMs);
    const timer: Timer = { dueMs, order: orders++, callback, settles, place: -1 };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  return {
    now: () => nowMs,
    after: (delayMs, callback) => set(delayMs, callback, true),
    tick: (delayMs, callback) => set(delayMs, callback, false),
    get pending() {
      return timers.size;
    },
    run: untilMs =>
      new Promise((resolve, reject) => {
        /** Timers that are due later wait for the immediates that those before have set. */
        let turnEndsMs = 0;
        let hasFailed = false;
        /** Runs timers until one after which promises settle. Returns whether there was one. */
        const step = (): boolean => {
          for (let timer = timers.first; timer && timer.dueMs <= turnEndsMs; timer = timers.first) {
            timers.delete(timer);
            nowMs = timer.dueMs;
            timer.callback();
            if (timer.settles) return true;
          }
          return false;
        };
        const turn = (): void => {
          const { first } = timers;
          if (hasFailed) return;
          if (!first || first.dueMs > untilMs) {
            setImmediate(() => {
              nowMs = untilMs;
              resolve();
            });
            return;
          }
          turnEndsMs = Math.min(untilMs, first.dueMs + turnMs);
          let goesOn = true;
          // Node settles all promises between two immediates.
          for (let steps = 0; steps < stepsPerTurn; steps++)
            setImmediate(() => {
              try {
                if (goesOn) goesOn = step();
              } catch (error) {
                goesOn = false;
                hasFailed = true;
                reject(error);
              }
            });
          setImmediate(turn);
        };
        turn();
      }),
  };
}

/** Immediates that a timer sets run at most this much later, in milliseconds of the simulation: a turn of Node costs time. */
const turnMs = 1;
const stepsPerTurn = 16;

/** A binary heap whose items know their places, so that any of them can be removed. */
class TimerHeap {
  readonly #timers: Timer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  get first(): Timer | undefined {
    return this.#timers[0];
  }

  add(timer: Timer): void {
    this.#timers.push(timer);
    this.#rise(timer, this.#timers.length - 1);
  }

  /** Does nothing if it is not in the heap. */
  delete(timer: Timer): void {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    const last = this.#timers.pop() as Timer;
    if (last === timer) return;
    this.#sink(last, place);
    this.#rise(last, last.place);
  }

  #rise(timer: Timer, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      const other = this.#timers[above] as Timer;
      if (isBefore(other, timer)) break;
      this.#put(other, place);
      place = above;
    }
    this.#put(timer, place);
  }

  #sink(timer: Timer, from: number): void {
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.#timers.length) break;
      const [left, right] = [this.#timers[below] as Timer, this.#timers[below + 1]];
      if (right && isBefore(right, left)) below += 1;
      const other = this.#timers[below] as Timer;
      if (isBefore(timer, other)) break;
      this.#put(other, place);
      place = below;
    }
    this.#put(timer, place);
  }

  #put(timer: Timer, place: number): void {
    this.#timers[place] = timer;
    timer.place = place;
  }
}

function isBefore(one: Timer, other: Timer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}
