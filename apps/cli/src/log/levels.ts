/** The values of `--log-level`, lowest first. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
/** The level of a line. */
export type Level = Exclude<LogLevel, "silent">;
