import { bounded, cut } from "../output/bounded.js";

/** The values of `--log-level`, lowest first. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
/** The level of a line. */
export type Level = Exclude<LogLevel, "silent">;

/** A log of lines, each with a level, a time, fields and a message. */
export interface Log {
  /** Whether lines of this level are written. */
  isEnabled(level: Level): boolean;
  /** Writes a line of limited length, unless its level is not enabled. */
  write(level: Level, fields: object, message: string): void;
}

/** A log that passes its lines to `write`, each as a text of JSON. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const lowest = logLevels.indexOf(level);
  const isEnabled: Log["isEnabled"] = level => logLevels.indexOf(level) >= lowest;
  return {
    isEnabled,
    write(level, fields, message) {
      if (isEnabled(level)) write(jsonLine(level, bounded(fields), cut(message)));
    },
  };
}

/** A line as JSON, without its end. */
export function jsonLine(level: Level, fields: object, msg: string): string {
  return JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg });
}
