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
