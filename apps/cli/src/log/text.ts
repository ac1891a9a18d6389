import { printable } from "@gw/interface";
import type { Level } from "./levels.js";

/** The parts of a line that is written as text. */
interface TextLine {
  readonly level: Level;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly message: string;
  readonly fields: object;
}

/** Formats a line as text, without its end. The text is plain: control characters are escaped, unless they set a colour. */
export type TextFormat = (line: TextLine) => string;

const noColour = "\u001b[39m";
const grey = "\u001b[90m";
const levelColours: { readonly [level in Level]: string } = {
  trace: grey,
  debug: "\u001b[34m",
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
};

/** The longest name of a level. */
const levelWidth = 5;

/**
 * The format for people: time, level, message, and the fields as `name=value`:
 *
 *     2026-11-29T10:00:00.123Z WARN  endpoint down endpoint=10.0.1.10:2379 reason="connection refused" retryIn=5s
 *
 * @param colours whether a terminal shows the level in colour, and what is less important in grey
 */
export function textFormat(colours: boolean): TextFormat {
  const paint = (colour: string, text: string): string => (colours ? `${colour}${text}${noColour}` : text);
  return ({ level, time, message, fields }) => {
    const name = level.toUpperCase().padEnd(levelWidth);
    const head = `${paint(grey, time)} ${paint(levelColours[level], name)} ${printable(message)}`;
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
    return [
      head,
      ...pairs.map(([key, value]) => `${paint(grey, `${word(key)}=`)}${textOfValue(value)}`),
    ].join(" ");
  };
}

/** What stands for no value, and for an empty list. */
const nothing = "-";

/** A value of a field: the items of a list are separated by commas; objects are JSON. */
function textOfValue(value: unknown): string {
  if (!Array.isArray(value)) return itemOf(value);
  return value.length > 0 ? value.map(itemOf).join(",") : nothing;
}

function itemOf(value: unknown): string {
  if (value === undefined || value === null) return nothing;
  return word(typeof value === "object" ? JSON.stringify(value) : String(value));
}

/** Texts that need no quotes: visible ASCII without quotes, commas, equals signs and backslashes. */
const bare = /^[!#-+\--<>-[\]-~]+$/;

/** A text as one word: in quotes, as in JSON, where it would be ambiguous without. */
export function word(text: string): string {
  return bare.test(text) && text !== nothing ? text : printable(JSON.stringify(text));
}

/** Whether a terminal is to be coloured: not where `NO_COLOR` is set (no-color.org), nor where it cannot. */
export function wantsColours(env: NodeJS.ProcessEnv = process.env): boolean {
  return !env["NO_COLOR"] && env["TERM"] !== "dumb";
}
