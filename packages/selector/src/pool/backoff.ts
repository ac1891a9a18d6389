import { backoffMs } from "@gw/interface";

/** Delays are in milliseconds. */
export interface BackoffSettings {
  /** After the first failure. */
  readonly retryDelayMs: number;
  /** The longest. */
  readonly maxRetryDelayMs: number;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** Up to this part of a delay that has grown is taken off at random, so that many gateways are not in step. */
const jitterPart = 0.2;

/** How long one endpoint is down after each failure: twice as long as after the one before. */
export class Backoff {
  #failures = 0;
  #delayMs = 0;
  #upSince = -Infinity;

  /** Returns how long to wait after one more failure, in milliseconds. */
  failed({ retryDelayMs, maxRetryDelayMs, random }: BackoffSettings): number {
    this.#failures += 1;
    this.#delayMs = backoffMs(this.#failures, {
      baseMs: retryDelayMs,
      maxMs: maxRetryDelayMs,
      jitter: jitterPart,
      random,
    });
    return this.#delayMs;
  }

  /** It is up. Earlier failures still count until it has served for as long as the last delay. */
  recovered(now: number): void {
    this.#upSince = now;
  }

  /** It was up until `now`, when it failed. */
  failedAfterServing(now: number): void {
    if (now - this.#upSince >= this.#delayMs) this.#failures = 0;
  }
}
