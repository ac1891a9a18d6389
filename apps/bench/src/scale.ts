/** How much is measured. Times are in milliseconds. */
export interface Scale {
  readonly measureMs: number;
  /** Before the first sample of a program that has just started, for its compiler and caches. */
  readonly firstWarmupMs: number;
  /** Before each further one. */
  readonly warmupMs: number;
  /** Between the opening of idle connections and the reading of memory. */
  readonly settleMs: number;
  /** Numbers of idle connections. Infinity: as many as the descriptor limit allows. */
  readonly idle: readonly number[];
  /** Numbers of open connections to compare. */
  readonly growth: readonly number[];
  /** Numbers of endpoints to pick from. */
  readonly endpoints: readonly number[];
}

/** A run whose figures are meaningful. 20,000 descriptors allow 3,000 connections that take 6 each. */
export function fullScale(seconds: number): Scale {
  return {
    measureMs: seconds * 1000,
    firstWarmupMs: 700,
    warmupMs: 250,
    settleMs: 500,
    idle: [3_000, 5_000, Number.POSITIVE_INFINITY],
    growth: [10, 100, 1_000, 8_000],
    endpoints: [3, 100, 10_000],
  };
}

/** A run that shows that everything works. */
export const quickScale: Scale = {
  measureMs: 200,
  firstWarmupMs: 100,
  warmupMs: 50,
  settleMs: 100,
  idle: [200],
  growth: [10, 100],
  endpoints: [3, 100],
};
