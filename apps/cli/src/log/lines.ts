import { printable } from "@gw/interface";
import { bounded, cut } from "../output/bounded.js";
import { type Level, type LogLevel, logLevels } from "./levels.js";
import { textFormat } from "./text.js";

/** A log of lines, each with a level, a time, fields and a message. */
export interface Log {
  /** Whether lines of this level are written. */
  isEnabled(level: Level): boolean;
  /** The lowest level that is written. May be set. */
  level: LogLevel;
  /** Writes a line of limited length, unless its level is not enabled. */
  write(level: Level, fields: object, message: string): void;
}

/** Makes the text of a line, without its end. The fields and the message are of limited length already. */
export type LineFormat = (level: Level, fields: object, message: string) => string;

/**
 * A log that passes its lines to `write`.
 *
 * @param format @default JSON
 */
export function createLog(
  level: LogLevel,
  write: (line: string) => void,
  format: LineFormat = jsonLine,
): Log {
  let lowest = logLevels.indexOf(level);
  const isEnabled: Log["isEnabled"] = level => logLevels.indexOf(level) >= lowest;
  return {
    isEnabled,
    get level() {
      return logLevels[lowest] ?? level;
    },
    set level(next) {
      lowest = logLevels.indexOf(next);
    },
    write(level, fields, message) {
      if (isEnabled(level)) write(format(level, bounded(fields), cut(message)));
    },
  };
}

/** A line as JSON, without control characters. */
export function jsonLine(level: Level, fields: object, msg: string): string {
  return printable(JSON.stringify({ level, time: isoTime(new Date()), ...fields, msg }));
}

/** Lines for people; see {@link textFormat}. */
export function textLines(colours: boolean): LineFormat {
  const format = textFormat(colours);
  return (level, fields, message) => format({ level, time: isoTime(new Date()), message, fields });
}

/**
 * As `date.toISOString()`, for the years that have four digits. For that one V8 loads its time zones first, which takes a
 * millisecond and a megabyte of each process.
 */
export function isoTime(date: Date): string {
  const digits = (value: number, length = 2): string => String(value).padStart(length, "0");
  const day = [digits(date.getUTCFullYear(), 4), digits(date.getUTCMonth() + 1), digits(date.getUTCDate())];
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(value => digits(value));
  return `${day.join("-")}T${time.join(":")}.${digits(date.getUTCMilliseconds(), 3)}Z`;
}
