import { createWriteStream, type WriteStream } from "node:fs";
import type { Logger } from "pino";

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

/** Makes a log that writes in the background, so that nothing ever waits for whoever reads it. */
export async function openLog(level: string, format: LogFormat): Promise<Log> {
  const { pino, stdTimeFunctions } = await import("pino");
  const output = openStderr();
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const render = format === "json" ? (line: string) => line : await textFormat();
  const log = pino(options, { write: line => output.write(render(line)) });
  return { log, flushed: output.flushed };
}

async function textFormat(): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  return prettyFactory({
    colorize: process.stderr.isTTY && !process.env["NO_COLOR"],
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
    singleLine: true,
  });
}

/** Lines beyond this many bytes that nobody reads are dropped, and counted. */
const maxUnread = 1024 * 1024;
/** How long a program that ends waits for its log to be read, in milliseconds. */
const patienceMs = 1_000;

function openStderr(): { write(line: string): void; flushed(): Promise<void> } {
  let stream = open();
  let dropped = 0;
  function open(): WriteStream {
    return createWriteStream("", { fd: 2, autoClose: false }).on("error", (error: NodeJS.ErrnoException) => {
      // A pipe that is full for long, where it does not block. What else fails (EPIPE) fails for good, and a log
      // that nobody reads any more is no reason to stop.
      if (error.code === "EAGAIN") stream = open();
    });
  }
  return {
    write(line) {
      if (stream.writableLength > maxUnread) {
        dropped += 1;
        return;
      }
      if (dropped > 0)
        stream.write(`${JSON.stringify({ level: "warn", dropped, msg: "log lines were dropped" })}\n`);
      dropped = 0;
      stream.write(line);
    },
    flushed: () =>
      new Promise(resolve => {
        const timer = setTimeout(resolve, patienceMs);
        stream.end(() => {
          clearTimeout(timer);
          resolve();
        });
        if (stream.destroyed) resolve();
      }),
  };
}
