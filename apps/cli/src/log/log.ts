import { isatty } from "node:tty";
import { flushErrors, stderr } from "../output/stdio.js";
import type { EventName } from "./events.js";
import type { LogLevel } from "./levels.js";
import { createLog, jsonLine, type LineFormat, type Log, textLines } from "./lines.js";
import { wantsColours } from "./text.js";

/** `json` for programs, `text` for people. */
export type LogFormat = "json" | "text";

/**
 * Opens a log on stderr that writes in the background, so that nothing waits for its reader. Each entry is one line of
 * limited length without control characters, even if its fields come from the network.
 *
 * @param format @default `text` on a terminal
 * @returns `flushed` resolves when all lines are written, or after a second: a reader that does not read must not delay the
 *   end
 */
export function openLog(
  level: LogLevel,
  format?: LogFormat,
): { readonly log: Log; flushed(): Promise<void> } {
  const output = stderr();
  const terminal = isatty(2);
  const lineOf = lineFormat(format ?? (terminal ? "text" : "json"), terminal && wantsColours());
  output.droppedNotice = dropped => {
    const message: EventName = "log lines dropped";
    return `${lineOf("warn", { dropped }, message)}\n`;
  };
  return { log: createLog(level, line => output.write(`${line}\n`), lineOf), flushed: flushErrors };
}

/** @param colours of text, for a terminal */
export function lineFormat(format: LogFormat, colours: boolean): LineFormat {
  return format === "json" ? jsonLine : textLines(colours);
}
