/** See {@link backoffMs}. Times are in milliseconds. */
export interface BackoffOptions {
  /** The delay after the first failure. */
  readonly baseMs: number;
  /** The longest delay; not less than `baseMs`. */
  readonly maxMs: number;
  /** Up to this part of a delay beyond the base is taken off at random, so that many gateways do not act in step. @default 0 */
  readonly jitter?: number | undefined;
  /** A number in [0, 1). @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Exponential back-off: the delay after the `failures`-th consecutive failure, from 1; it doubles each time. */
export function backoffMs(
  failures: number,
  { baseMs, maxMs, jitter = 0, random = Math.random }: BackoffOptions,
): number {
  const fullMs = Math.min(maxMs, baseMs * 2 ** (failures - 1));
  if (jitter === 0) return fullMs;
  return Math.max(baseMs, Math.round(fullMs * (1 - jitter * random())));
}

/** `ms`, and up to the part `jitter` of it more at random, so that many gateways do not act in step. */
export function withJitter(ms: number, jitter: number, random: () => number = Math.random): number {
  return ms * (1 + jitter * random());
}
