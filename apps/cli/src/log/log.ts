import { isatty } from "node:tty";
import { printable } from "@gw/interface";
import { flushErrors, stderr } from "../output/stdio.js";
import type { EventName } from "./events.js";
import { createLog, jsonLine, type Log, type LogLevel } from "./lines.js";

/** `json` for programs, `text` for a terminal. */
export type LogFormat = "json" | "text";

/**
 * Opens a log on stderr that writes in the background, so that nothing waits for its reader. Each entry is one line of
 * limited length without control characters, even if its fields come from the network.
 *
 * @param format @default `text` on a terminal
 * @returns `flushed` resolves when all lines are written, or after a second: a reader that does not read must not delay the
 *   end
 */
export async function openLog(
  level: LogLevel,
  format?: LogFormat,
): Promise<{ readonly log: Log; flushed(): Promise<void> }> {
  const output = stderr();
  const terminal = isatty(2);
  const render = await renderer(format ?? (terminal ? "text" : "json"), terminal);
  output.droppedNotice = dropped => {
    const message: EventName = "log lines dropped";
    return render(jsonLine("warn", { dropped }, message));
  };
  return { log: createLog(level, line => output.write(render(line))), flushed: flushErrors };
}

/** Turns a line of JSON into the one that is written. */
export async function renderer(format: LogFormat, colours: boolean): Promise<(line: string) => string> {
  return format === "json" ? jsonFormat : textFormat(colours);
}

function jsonFormat(line: string): string {
  return `${printable(line)}\n`;
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
