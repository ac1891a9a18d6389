import { GatewayError, quote } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import { adminFlags } from "./admin.js";
import { connectionFlags, listenFlags } from "./connections.js";
import { discoveryFlags, stateFlags } from "./discovery.js";
import { readVariable } from "./environment.js";
import { connectTimeoutMs, failoverFlags } from "./failover.js";
import { type Flag, type FlagTable, type Values, variable } from "./flag.js";
import { clusterIdFlag, healthFlags, probeFlags } from "./health.js";

/** The flags of `gw start`. */
export const startFlags = {
  ...listenFlags,
  ...discoveryFlags,
  ...stateFlags,
  ...healthFlags,
  ...failoverFlags,
  ...connectionFlags,
  ...adminFlags,
};
/** Values of the flags of `gw start`; undefined where one is not given. */
export type StartFlags = Values<typeof startFlags>;

/** The flags of `gw check`, besides `--json`. */
export const checkFlags = { ...discoveryFlags, connectTimeoutMs, ...probeFlags, clusterId: clusterIdFlag };
/** Values of the flags of `gw check`. */
export type CheckFlags = Values<typeof checkFlags> & { readonly json?: boolean };

/** The flags of `gw resolve`, besides `--json` and `--watch`. */
export const resolveFlags = { ...discoveryFlags, clusterId: clusterIdFlag };
/** Values of the flags of `gw resolve`. */
export type ResolveFlags = Values<typeof resolveFlags> & {
  readonly json?: boolean;
  readonly watch?: boolean;
};

/** The environment variables that `gw start` reads. */
export function startVariables(): string[] {
  return Object.values(startFlags).map(variable);
}

/** Flags by the command that has them. */
const declared = new WeakMap<Command, FlagTable>();

/** Gives a command the flags of a table. They are added when it is run, which takes a while: there are many. */
export function declareFlags(command: Command, table: FlagTable): void {
  declared.set(command, table);
}

/** The names of the flags that {@link declareFlags} gave to a command, with their dashes. */
export function declaredFlags(command: Command): readonly string[] {
  return Object.values(declared.get(command) ?? {}).map(({ name }) => `--${name}`);
}

/** Adds the flags that {@link declareFlags} gave to a command. To be called once, before it shows its help. */
export function addDeclaredFlags(command: Command): void {
  addFlags(command, Object.values(declared.get(command) ?? {}));
}

/** Adds those of the flags that {@link declareFlags} gave to a command which it needs to read `args`. */
export function addGivenFlags(command: Command, args: readonly string[]): void {
  addFlags(command, flagsIn(args, declared.get(command) ?? {}));
}

/**
 * The flags of a table that are among `args`: to add all takes several milliseconds of a start. They are all where
 * help is asked for, or something else looks like a flag, which is to be compared with all.
 */
function flagsIn(args: readonly string[], table: FlagTable): readonly Flag<unknown>[] {
  const given = new Set(args.filter(arg => arg.startsWith("-")).map(arg => arg.split("=", 1)[0]));
  const all = Object.values(table);
  const found = all.filter(({ name }) => given.has(`--${name}`));
  return found.length === given.size && !args.includes("help") ? found : all;
}

/** Adds flags to a command, under their headings. */
function addFlags(command: Command, flags: readonly Flag<unknown>[]): void {
  for (const flag of flags) {
    const { help, byDefault, choices, group } = flag;
    const notes = [
      ...(choices ? [`choices: ${choices.join(", ")}`] : []),
      ...(byDefault === undefined ? [] : [`default: ${byDefault}`]),
      `env: ${variable(flag)}`,
    ];
    command.addOption(optionOf(command, flag, `${help} (${notes.join("; ")})`).helpGroup(`${group}:`));
  }
}

/**
 * Adds those of the flags of a table to a command which it needs to read `args`. Its help shows only those named by `shown`,
 * briefly.
 */
export function addFlagsInShort(
  command: Command,
  args: readonly string[],
  table: FlagTable,
  shown: readonly string[],
): void {
  for (const flag of flagsIn(args, table)) {
    const { name, help, byDefault } = flag;
    const option = optionOf(
      command,
      flag,
      byDefault === undefined ? help : `${help} (default: ${byDefault})`,
    );
    command.addOption(shown.includes(name) ? option : option.hideHelp());
  }
}

function optionOf(command: Command, flag: Flag<unknown>, description: string): Option {
  const { name, placeholder, preset } = flag;
  const option = new Option(`--${name} ${placeholder}`, description).argParser(parsing(command, flag));
  return preset === undefined ? option : option.preset(preset);
}

/** The texts that the flags of a command were given, by their names. */
const given = new WeakMap<Command, Map<string, string[]>>();

/** The texts that a flag of `command` was given, from left to right. */
export function textsOf(command: Command, { name }: Flag<unknown>): readonly string[] {
  return given.get(command)?.get(name) ?? [];
}

/** Turns an error into one of commander's, which names the flag. */
function parsing<Value>(
  command: Command,
  flag: Flag<Value>,
): (text: string, before: Value | undefined) => Value {
  return (text, before) => {
    try {
      const value = flag.parse(text, before);
      const texts = given.get(command) ?? new Map<string, string[]>();
      texts.set(flag.name, [...(texts.get(flag.name) ?? []), text]);
      given.set(command, texts);
      return value;
    } catch (error) {
      throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
    }
  };
}

/**
 * The values of the flags of `table` that `command` was given, or `gw` before it. A flag wins over its environment
 * variable and over the same flag further left; flags that may be repeated add up. Variables are not read by commander,
 * which rejects an invalid one also if a flag overrides it.
 */
export function valuesOf<Table extends FlagTable>(
  gw: Command,
  command: Command,
  table: Table,
): Values<Table> {
  const values: { [key: string]: unknown } = {};
  for (const [key, flag] of Object.entries(table)) {
    const attribute = attributeOf(flag);
    const left: unknown = command === gw ? undefined : gw.getOptionValue(attribute);
    const own: unknown = command.getOptionValue(attribute);
    const given = Array.isArray(left) && Array.isArray(own) ? [...left, ...own] : (own ?? left);
    const value = given ?? fromEnvironment(gw, flag);
    if (value !== undefined) values[key] = value;
  }
  return values as Values<Table>;
}

/** The name under which commander keeps the value. */
function attributeOf({ name }: Flag<unknown>): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
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
