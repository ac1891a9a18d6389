import { backoffMs } from "@gw/interface";

/** Delays are in milliseconds, without jitter. */
export interface BackoffSettings {
  /** After the first failure. */
  readonly retryDelayMs: number;
  /** The longest. */
  readonly maxRetryDelayMs: number;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/**
 * Up to this part of each delay is taken off at random, also of the first: all gateways of a fleet notice a crash at the
 * same moment, and must not check the endpoint at the same moment, which may then be busy with its start.
 */
const jitterPart = 0.5;

/** While all endpoints are down, they are tried this soon, in milliseconds; a whole fleet does, so it backs off as well. */
const urgent = { baseMs: 5_000, maxMs: 30_000 };

/** How long one endpoint is down after each failure: twice as long as after the one before. */
export class Backoff {
  #failures = 0;
  #delayMs = 0;
  #upSince = -Infinity;

  /** Returns how long to wait after one more failure, in milliseconds; less if it `isUrgent`. */
  failed({ retryDelayMs, maxRetryDelayMs, random }: BackoffSettings, isUrgent = false): number {
    this.#failures += 1;
    const fullMs = backoffMs(this.#failures, { baseMs: retryDelayMs, maxMs: maxRetryDelayMs });
    const mostMs = isUrgent ? Math.min(fullMs, backoffMs(this.#failures, urgent)) : fullMs;
    this.#delayMs = jittered(mostMs, random);
    return this.#delayMs;
  }

  /** It is up. Earlier failures still count until it has served for as long as the last delay. */
  recovered(now: number): void {
    this.#upSince = now;
  }

  /** What {@link restore} takes. */
  save(): readonly number[] {
    return [this.#failures, this.#delayMs, this.#upSince];
  }

  restore([failures = 0, delayMs = 0, upSince = -Infinity]: readonly number[]): void {
    this.#failures = failures;
    this.#delayMs = delayMs;
    this.#upSince = upSince;
  }

  /** It was up until `now`, when it failed. */
  failedAfterServing(now: number): void {
    if (now - this.#upSince >= this.#delayMs) this.#failures = 0;
  }
}

/** The first delay while all endpoints are down, in milliseconds. */
export function urgentDelayMs(random: () => number): number {
  return jittered(urgent.baseMs, random);
}

function jittered(ms: number, random: () => number): number {
  return Math.round(ms * (1 - jitterPart * random()));
}
