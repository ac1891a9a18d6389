import { isatty } from "node:tty";
import { printable } from "@gw/interface";
import type { Logger, LoggerOptions } from "pino";
import { bounded, cut } from "../output/bounded.js";
import { flushErrors, stderr } from "../output/stdio.js";
import type { EventName } from "./events.js";

/** `json` for programs, `text` for a terminal. */
export type LogFormat = "json" | "text";

/** The values of `--log-level`: pino's levels. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** A log on stderr. */
export interface Log {
  readonly log: Logger;
  /** Resolves when all lines are written, or after a second: a reader that does not read must not delay the end. */
  flushed(): Promise<void>;
}

/**
 * Opens a log that writes in the background, so that nothing waits for its reader. Each entry is one line of limited length
 * without control characters, even if its fields come from the network.
 *
 * @param format @default `text` on a terminal
 */
export async function openLog(level: string, format?: LogFormat): Promise<Log> {
  const { pino, stdTimeFunctions } = await import("pino");
  const output = stderr();
  const terminal = isatty(2);
  const render =
    (format ?? (terminal ? "text" : "json")) === "json" ? jsonFormat : await textFormat(terminal);
  output.droppedNotice = dropped => {
    const time = new Date().toISOString();
    const msg: EventName = "log lines dropped";
    return render(JSON.stringify({ level: "warn", time, dropped, msg }));
  };
  const log = pino(
    {
      level,
      timestamp: stdTimeFunctions.isoTime,
      ...lineOptions,
    },
    { write: line => output.write(render(line)) },
  );
  return { log, flushed: flushErrors };
}

/** Limits the length of a line, in both formats. */
export const lineOptions: LoggerOptions = {
  base: null,
  formatters: { level: (label: string) => ({ level: label }), log: (fields: object) => bounded(fields) },
  hooks: {
    logMethod(args, method) {
      const short = args.map(arg => (typeof arg === "string" ? cut(arg) : arg));
      method.apply(this, short as typeof args);
    },
  },
};

/** Turns a line of pino's into the one that is written. */
export async function renderer(format: LogFormat, colours: boolean): Promise<(line: string) => string> {
  return format === "json" ? jsonFormat : textFormat(colours);
}

function jsonFormat(line: string): string {
  return `${printable(line.trimEnd())}\n`;
}

async function textFormat(terminal: boolean): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const pretty = prettyFactory({
    colorize: terminal && !process.env["NO_COLOR"],
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
    singleLine: true,
    errorLikeObjectKeys: [],
    messageFormat: (fields, key) => printable(String(fields[key])),
  });
  // The message is safe already, and the rest is JSON: of the characters below a space only the colours are left.
  return line => `${pretty(line).trimEnd().split(colour).map(keep).join("")}\n`;
}

/** What pino-pretty sets a colour with. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is one
const colour = /(\u001b\[\d+m)/;

function keep(part: string, index: number): string {
  return index % 2 === 1 ? part : printable(part);
}
