import { destination, type Logger, pino, stdTimeFunctions } from "pino";

/** `json` for machines, `text` for a person at a terminal. */
export type LogFormat = "json" | "text";

/** What `--log-level` takes, in pino's words. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** A logger that writes to stderr, synchronously: the last line before an exit is never lost. */
export async function createLogger(level: string, format: LogFormat): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const stderr = destination({ dest: 2, sync: true });
  // A log that nobody reads any more (EPIPE) is no reason to stop.
  stderr.on("error", () => {});
  if (format === "json") return pino(options, stderr);
  const { prettyFactory } = await import("pino-pretty");
  const pretty = prettyFactory({
    colorize: process.stderr.isTTY && !process.env["NO_COLOR"],
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
    singleLine: true,
  });
  return pino(options, { write: line => stderr.write(pretty(line)) });
}
