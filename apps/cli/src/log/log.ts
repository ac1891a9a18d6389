import { isatty } from "node:tty";
import { printable } from "@gw/interface";
import type { Logger, LoggerOptions } from "pino";
import { bounded, cut } from "../output/bounded.js";
import { flushErrors, stderr } from "../output/stdio.js";
import type { EventName } from "./events.js";

/** `json` for machines, `text` for a person at a terminal. */
export type LogFormat = "json" | "text";

/** What `--log-level` takes, in pino's words. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** A log on stderr. */
export interface Log {
  readonly log: Logger;
  /** Resolves when all lines are written, or after a second: a reader that does not read must not keep us. */
  flushed(): Promise<void>;
}

/**
 * Makes a log that writes in the background, so that nothing ever waits for whoever reads it. Whatever its lines hold,
 * and wherever that comes from: each is one line, not endless, and does nothing to a terminal.
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

/** What keeps a line from becoming endless, and the same in both formats. */
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

/** Makes of pino's line the one that is written. */
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
