/**
 * What holds where the options of this package are silent. It stands by itself, so that help texts can tell it without
 * loading what it is the default of.
 *
 * @packageDocumentation
 */

/** Of `checkHealth`. */
export const checkDefaults = { intervalMs: 5_000, fall: 2 } as const;

/** Of all probes. */
export const probeDefaults = { timeoutMs: 2_000 } as const;

/** Of `rising`. */
export const risingDefaults = { rise: 1, pauseMs: 1_000 } as const;

/** Of `tlsProbe`. */
export const tlsProbeDefaults = { timeoutMs: 5_000 } as const;
