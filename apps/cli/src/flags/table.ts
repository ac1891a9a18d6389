import { GatewayError, quote } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import { readVariable } from "./environment.js";
import type { Flag } from "./flag.js";

/** Flags by their names in code. */
export type FlagTable = { readonly [key: string]: Flag<unknown> };

/** What a user said by the flags of a table; undefined where nothing was said. */
export type Values<Table> = {
  readonly [Key in keyof Table]?: Table[Key] extends Flag<infer Value> ? Value : never;
};

/** The environment variable that goes with a flag: `GW_RETRY_DELAY` with `--retry-delay`. */
export function variable({ name }: Flag<unknown>): string {
  return `GW_${name.replaceAll("-", "_").toUpperCase()}`;
}

/** Adds the flags of a table to a command, under their headings. */
export function addFlags(command: Command, table: FlagTable): void {
  for (const flag of Object.values(table)) {
    const { help, byDefault, choices, group } = flag;
    const notes = [
      ...(choices ? [`choices: ${choices.join(", ")}`] : []),
      ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
      `env: ${variable(flag)}`,
    ];
    command.addOption(optionOf(flag, `${help} (${notes.join("; ")})`).helpGroup(`${group}:`));
  }
}

/** Adds the flags of a table to a command whose help shows only some of them, in short: those with these names. */
export function addFlagsInShort(command: Command, table: FlagTable, shown: readonly string[]): void {
  for (const flag of Object.values(table)) {
    const { name, help, byDefault } = flag;
    const option = optionOf(flag, byDefault === undefined ? help : `${help} (default: ${byDefault})`);
    command.addOption(shown.includes(name) ? option : option.hideHelp());
  }
}

function optionOf(flag: Flag<unknown>, description: string): Option {
  const { name, placeholder, preset } = flag;
  const option = new Option(`--${name} ${placeholder}`, description).argParser(parsing(flag));
  return preset === undefined ? option : option.preset(preset);
}

/** Makes commander's error of ours, so that it names the flag or the variable. */
function parsing<Value>(flag: Flag<Value>): (text: string, before: Value | undefined) => Value {
  return (text, before) => {
    try {
      return flag.parse(text, before);
    } catch (error) {
      throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
    }
  };
}

/**
 * What the user said to `command`, and to `gw` before it, by the flags of `table`. A flag wins over the same flag
 * further left, except that those that may be repeated add up; and over its environment variable. Commander reads
 * variables for each command by itself, and would complain of one that a flag overrides.
 */
export function valuesOf<Table extends FlagTable>(
  gw: Command,
  command: Command,
  table: Table,
): Values<Table> {
  const values: { [key: string]: unknown } = {};
  for (const [key, flag] of Object.entries(table)) {
    const attribute = new Option(`--${flag.name}`).attributeName();
    const left: unknown = command === gw ? undefined : gw.getOptionValue(attribute);
    const own: unknown = command.getOptionValue(attribute);
    const given = Array.isArray(left) && Array.isArray(own) ? [...left, ...own] : (own ?? left);
    const value = given ?? fromEnvironment(gw, flag);
    if (value !== undefined) values[key] = value;
  }
  return values as Values<Table>;
}

function fromEnvironment(gw: Command, flag: Flag<unknown>): unknown {
  const name = variable(flag);
  const text = readVariable(name, process.env);
  if (text === undefined) return undefined;
  try {
    return flag.parse(text, undefined);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return gw.error(`${name}=${quote(text)} is invalid. ${error.detail}`);
  }
}
