import { GatewayError, quote } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import { formatDuration, parseDuration } from "./duration.js";
import { readVariable } from "./environment.js";

/** A flag, with what holds where it is not given; `undefined` where nothing does. */
export function flag(syntax: string, description: string, byDefault?: string): Option {
  const option = new Option(
    syntax,
    byDefault === undefined ? description : `${description} (default: ${byDefault})`,
  );
  option.description += ` (env: ${variable(option)})`;
  return option;
}

/** A flag that takes a Go duration, as milliseconds. */
export function durationFlag(
  name: string,
  description: string,
  byDefault?: string,
  parse: (text: string) => number = parseDuration,
): Option {
  return flag(`${name} <duration>`, description, byDefault).argParser(parsing(parse));
}

/** A duration, or 0 for none. */
export function orZero(text: string): number {
  return /^0(?:ms|s|m|h)?$/.test(text) ? 0 : parseDuration(text);
}

/** Makes a parser of durations that refuses those above `mostMs`. */
export function atMost(mostMs: number, parse: (text: string) => number): (text: string) => number {
  return text => {
    const ms = parse(text);
    if (ms <= mostMs) return ms;
    const most = formatDuration(mostMs);
    throw new GatewayError(
      "invalid-option",
      `${quote(text)} is more than ${most}, the most that systems take`,
    );
  };
}

/** A flag that stands for yes, and takes `true` or `false` as flags of Go programs do. */
export function booleanFlag(name: string, description: string, byDefault = "false"): Option {
  return flag(`${name} [boolean]`, description, byDefault).preset("true").argParser(parsing(parseBoolean));
}

/** The environment variable that goes with a flag: `GW_RETRY_DELAY` with `--retry-delay`. */
export function variable(option: Option): string {
  return `GW_${option.name().replaceAll("-", "_").toUpperCase()}`;
}

/**
 * What the user said to `command`, and to `gw` before it: a flag wins over the same flag further left, except that
 * those that may be repeated add up; and over its environment variable. Commander looks at variables for each
 * command by itself, and would complain of one that a flag overrides.
 */
export function settings<T>(gw: Command, command: Command, options: readonly Option[]): T {
  const left: Record<string, unknown> = gw.opts();
  const said: Record<string, unknown> = { ...left, ...(command === gw ? {} : command.opts()) };
  for (const option of options) {
    const name = option.attributeName();
    if (command !== gw && Array.isArray(left[name]) && said[name] !== left[name])
      said[name] = [...left[name], ...(said[name] as unknown[])];
    const value = readVariable(variable(option), process.env);
    if (said[name] === undefined && value !== undefined) said[name] = fromVariable(gw, option, value);
  }
  return said as T;
}

function fromVariable(gw: Command, option: Option, value: string): unknown {
  try {
    return option.parseArg ? option.parseArg(value, undefined) : value;
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return gw.error(`${variable(option)}=${quote(value)} is invalid. ${error.message}`);
  }
}

/** Makes commander's error of ours, so that it names the flag or the variable. */
export function parsing<T>(parse: (text: string) => T): (text: string) => T {
  return text => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
    }
  };
}

/** A text that is not empty. */
export const text: (given: string) => string = parsing((given: string): string => {
  if (given !== "") return given;
  throw new GatewayError("invalid-option", "it is empty; leave it out where it is not meant");
});

/** Makes a parser of whole numbers from 1 to `most`. */
export function number(most: number): (text: string) => number {
  return parsing(given => {
    const count = /^\d{1,9}$/.test(given) ? Number(given) : 0;
    if (count > 0 && count <= most) return count;
    throw new GatewayError("invalid-option", `${quote(given)} is not a whole number from 1 to ${most}`);
  });
}

/** Reads a share such as `50%`, as a number from 0 to 1. */
export const share: (text: string) => number = parsing(given => {
  const percent = /^\d{1,3}(?:\.\d{1,6})?%$/.test(given) ? Number(given.slice(0, -1)) : Number.NaN;
  if (percent <= 100) return percent / 100;
  throw new GatewayError("invalid-option", `${quote(given)} is not a share from 0% to 100%`);
});

/** Makes a parser of a flag that may be repeated, and of its comma-separated values. */
export function repeatable<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), ...text.split(",").map(item => parsing(parse)(item.trim()))];
}

function parseBoolean(text: string): boolean {
  if (/^(?:true|1|t)$/i.test(text)) return true;
  if (/^(?:false|0|f)$/i.test(text)) return false;
  throw new GatewayError("invalid-option", `${quote(text)} is neither true nor false`);
}
