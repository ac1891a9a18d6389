import { GatewayError } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { listenFlags } from "../flags/connections.js";
import { formatDuration, parseDuration } from "../flags/duration.js";
import type { Values } from "../flags/flag.js";

/** The flags of `gw demo`; undefined where the user gave none. */
export type DemoFlags = Values<typeof listenFlags> & {
  readonly standIn?: boolean;
  /** In milliseconds. */
  readonly every?: number;
};

/** How often the member in use is stopped by default, in milliseconds. */
export const defaultEveryMs = 10_000;

/** The least value of `--every`, in milliseconds. */
const minEveryMs = 100;

/** Adds the flags that only `gw demo` has. */
export function addDemoFlags(command: Command): void {
  const every = `time between two stops of the member in use (default: ${formatDuration(defaultEveryMs)})`;
  command
    .addOption(new Option("--every <duration>", every).argParser(parseEvery))
    .addOption(new Option("--stand-in", "stand-in members also where etcd is on the PATH"));
}

/** Ends the program with an error if flags of `gw start` stand before `demo`, where they have no effect. */
export function refuseStartFlags(gw: Command): void {
  const given = gw.options.find(option => gw.getOptionValueSource(option.attributeName()) === "cli");
  if (given) gw.error(`${given.long} stands before 'demo', where it does nothing; see gw demo --help`);
}

function parseEvery(text: string): number {
  try {
    const everyMs = parseDuration(text);
    if (everyMs >= minEveryMs) return everyMs;
    throw new GatewayError("invalid-option", `${formatDuration(everyMs)} is less than ${minEveryMs}ms`);
  } catch (error) {
    throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
  }
}
