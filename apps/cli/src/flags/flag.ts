import { GatewayError, quote } from "@gw/interface";
import { formatDuration, parseDuration } from "./duration.js";

/** The headings of `gw start --help` and of docs/configuration.md, in their order. */
export const groups = [
  "Endpoints",
  "Discovery",
  "Health checks",
  "Failover",
  "Connections",
  "Relay",
  "Logging",
  "Admin",
] as const;

/** Everything about one flag. A flag is an entry of a table; its key there is the name in code, with its unit. */
export interface Flag<Value> {
  /** Without the dashes. The environment variable follows from it: `retry-delay` is `GW_RETRY_DELAY`. */
  readonly name: string;
  readonly group: (typeof groups)[number];
  /** What stands for the value in help: `<duration>`. */
  readonly placeholder: string;
  /** A noun phrase of at most ten words. */
  readonly help: string;
  /** The default, in words; absent where there is none. */
  readonly byDefault?: string | undefined;
  /** The only values allowed. */
  readonly choices?: readonly string[] | undefined;
  /** The value of the flag where it is given without one. */
  readonly preset?: string | undefined;
  /**
   * Reads the value. `before` is the value of the same flag further left, for flags that may be repeated.
   *
   * @throws {GatewayError} why it is not valid
   */
  parse(text: string, before: Value | undefined): Value;
}

/** Flags by their names in code. */
export type FlagTable = { readonly [key: string]: Flag<unknown> };

/** Values of the flags of a table; undefined where one is not given. */
export type Values<Table> = {
  readonly [Key in keyof Table]?: Table[Key] extends Flag<infer Value> ? Value : never;
};

/** The environment variable that goes with a flag: `GW_RETRY_DELAY` with `--retry-delay`. */
export function variable({ name }: Flag<unknown>): string {
  return `GW_${name.replaceAll("-", "_").toUpperCase()}`;
}

/** What a flag is built from: the parts that its kind does not decide. */
export type Described = Omit<Flag<never>, "placeholder" | "parse" | "choices" | "preset">;

/** A flag of any kind. */
export function flag<Value>(
  placeholder: string,
  described: Described,
  parse: Flag<Value>["parse"],
): Flag<Value> {
  return { ...described, placeholder, parse };
}

/** A duration as Go writes it, in milliseconds. */
export function duration(
  described: Omit<Described, "byDefault"> & { readonly byDefault?: number | string | undefined },
  parse: (text: string) => number = parseDuration,
): Flag<number> {
  const { byDefault } = described;
  const inWords = typeof byDefault === "number" ? formatDuration(byDefault) : byDefault;
  return flag("<duration>", { ...described, byDefault: inWords }, text => parse(text));
}

/** One of some words; the words are the type. */
export function choice<const Choice extends string>(
  placeholder: string,
  choices: readonly Choice[],
  described: Described,
): Flag<Choice> {
  const parse = (text: string): Choice => {
    const found = choices.find(one => one === text);
    if (found !== undefined) return found;
    throw invalid(`Allowed choices are ${choices.join(", ")}.`);
  };
  return { ...described, placeholder, choices, parse };
}

/** Yes where it is given alone; takes `true` and `false` as flags of Go programs do. */
export function boolean(described: Described): Flag<boolean> {
  return { ...described, placeholder: "[boolean]", preset: "true", parse: parseBoolean };
}

/** A text that is not empty. */
export function text(placeholder: string, described: Described): Flag<string> {
  return flag(placeholder, described, given => {
    if (given !== "") return given;
    throw invalid("it is empty; give a value or omit it");
  });
}

/** A whole number from 1 to `most`. */
export function number(most: number, described: Described): Flag<number> {
  return flag("<number>", described, given => {
    const count = /^\d{1,9}$/.test(given) ? Number(given) : 0;
    if (count > 0 && count <= most) return count;
    throw invalid(`${quote(given)} is not a whole number from 1 to ${most}`);
  });
}

/** A share such as `50%`, as a number from 0 to 1. */
export function share(
  described: Omit<Described, "byDefault"> & { readonly byDefault: number },
): Flag<number> {
  return flag("<share>", { ...described, byDefault: `${described.byDefault * 100}%` }, given =>
    parseShare(given),
  );
}

/** Reads a share such as `50%`. @returns 0.5 */
export function parseShare(text: string): number {
  const percent = /^\d{1,3}(?:\.\d{1,6})?%$/.test(text) ? Number(text.slice(0, -1)) : Number.NaN;
  if (percent <= 100) return percent / 100;
  throw invalid(`${quote(text)} is not a share from 0% to 100%`);
}

/** A flag that may be repeated, and takes comma-separated values. */
export function list<Item>(
  placeholder: string,
  described: Described,
  parse: (item: string) => Item,
): Flag<readonly Item[]> {
  return flag(placeholder, described, (given, before) => [
    ...(before ?? []),
    ...given.split(",").map(item => parse(item.trim())),
  ]);
}

/** A parser of durations that takes 0 for "never" as well. */
export function orZero(text: string): number {
  return /^0(?:ms|s|m|h)?$/.test(text) ? 0 : parseDuration(text);
}

/** Makes a parser of durations that rejects those above `mostMs`. */
export function atMost(
  mostMs: number,
  parse: (text: string) => number = parseDuration,
): (text: string) => number {
  return text => {
    const ms = parse(text);
    if (ms <= mostMs) return ms;
    throw invalid(`${quote(text)} is more than ${formatDuration(mostMs)}, the most that systems take`);
  };
}

function parseBoolean(text: string): boolean {
  if (/^(?:true|1|t)$/i.test(text)) return true;
  if (/^(?:false|0|f)$/i.test(text)) return false;
  throw invalid(`${quote(text)} is neither true nor false`);
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
