import { backoffMs } from "@gw/interface";
/** How long members that fail are left alone. */
export interface BackoffSettings {
  /** The first time, in milliseconds. */
  readonly retryDelayMs: number;
  /** At most, in milliseconds. */
  readonly maxRetryDelayMs: number;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** Up to this part of a wait that has grown is not waited for, so that many gateways are not in step. */
const jitterPart = 0.2;

/** The failures of one member, and the waits that follow them: each twice as long as the one before. */
export class Backoff {
  #failures = 0;
  #waitMs = 0;
  #upSince = -Infinity;

  /** How long to wait now that it has failed, in milliseconds. */
  failed({ retryDelayMs, maxRetryDelayMs, random }: BackoffSettings): number {
    this.#failures += 1;
    this.#waitMs = backoffMs(this.#failures, {
      baseMs: retryDelayMs,
      maxMs: maxRetryDelayMs,
      jitter: jitterPart,
      random,
    });
    return this.#waitMs;
  }

  /** It serves again. What failed before counts still, until it has served for as long as it was last left alone. */
  recovered(now: number): void {
    this.#upSince = now;
  }

  /** It fails after having served until `now`. */
  fell(now: number): void {
    if (now - this.#upSince >= this.#waitMs) this.#failures = 0;
  }
}
