/**
 * The defaults of this package. An entry of its own, so that help texts can show them without loading the rest.
 *
 * @packageDocumentation
 */

/** Of `checkHealth`. */
export const checkDefaults = { intervalMs: 10_000, fall: 2 } as const;

/** Of all probes. */
export const probeDefaults = { timeoutMs: 2_000 } as const;

/** Of `rising`. */
export const risingDefaults = { rise: 1, pauseMs: 1_000 } as const;

/** How often endpoints are checked of which a check learns next to nothing (`Verdict.uninformative`). */
export const uninformativePerHour = 4;

/** Of `identifyCluster`. */
export const identityDefaults = { holdMs: 30_000 } as const;

/** How long `identifyCluster` waits for the first answer of an endpoint, in milliseconds. */
export const identityWaitMs = 1_000;
/**
 * How long a question of `identifyCluster` should take at most, in milliseconds: an answer that comes too late for the first
 * clients is better than none.
 */
export const identityTimeoutMs = 3_000;
