import { availableParallelism } from "node:os";

/** How much is measured. Times are in milliseconds. */
export interface Scale {
  readonly measureMs: number;
  /**
   * Before the first sample of a program that has just started, for its compiler and caches. Node's compiler is at work for
   * the first 5,000 connections or so.
   */
  readonly firstWarmupMs: number;
  /** Before each further one. */
  readonly warmupMs: number;
  /** Between the opening of idle connections and the reading of memory. */
  readonly settleMs: number;
  /** Numbers of idle connections. Infinity: as many as the descriptor limit allows. */
  readonly idle: readonly number[];
  /** Numbers of open connections to compare. */
  readonly connections: readonly number[];
  /** Numbers of endpoints to compare. */
  readonly endpoints: readonly number[];
  /** Numbers of threads to compare. */
  readonly threads: readonly number[];
  /** Connections that come and go while memory is watched. */
  readonly soak: number;
}

/** What a proxy may need besides two descriptors for each open connection, 64 of which come and go; in connections. */
const spare = 500;

/** A run whose figures are meaningful. 20,000 descriptors allow 3,000 connections that take 6 each. */
export function fullScale(given: {
  readonly seconds: number;
  readonly soak: number;
  readonly descriptorLimit: number;
}): Scale {
  const tenThousand = Math.max(1, Math.min(10_000, Math.floor(given.descriptorLimit / 2) - spare));
  return {
    measureMs: given.seconds * 1000,
    firstWarmupMs: 2_000,
    warmupMs: 250,
    settleMs: 500,
    idle: [3_000, tenThousand, Number.POSITIVE_INFINITY],
    connections: [10, 100, 1_000, tenThousand],
    endpoints: [1, 10, 100, 10_000],
    threads: [1, 2, 4, 8, 16, 32, 64].filter(threads => threads <= availableParallelism()),
    soak: given.soak,
  };
}

/** A run that shows that everything works, also beside other programs that want all cores. */
export const quickScale: Scale = {
  measureMs: 1_000,
  firstWarmupMs: 100,
  warmupMs: 50,
  settleMs: 100,
  idle: [200],
  connections: [10, 100],
  endpoints: [1, 100],
  threads: [1, 2],
  soak: 1_000,
};
