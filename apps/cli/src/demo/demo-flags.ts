import { GatewayError } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { listenFlags } from "../flags/connections.js";
import { formatDuration, parseDuration } from "../flags/duration.js";
import type { Values } from "../flags/table.js";

/** What the user said to `gw demo`; undefined where nothing was said. */
export type DemoFlags = Values<typeof listenFlags> & {
  readonly standIn?: boolean;
  /** In milliseconds. */
  readonly every?: number;
};

/** How often the member in use is stopped where the user does not say it, in milliseconds. */
export const defaultEveryMs = 10_000;

/** Faster than this nobody could watch it, in milliseconds. */
const leastEveryMs = 100;

/** Adds the flags that `gw demo` alone has. */
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
    if (everyMs >= leastEveryMs) return everyMs;
    throw new GatewayError("invalid-option", `${formatDuration(everyMs)} is less than ${leastEveryMs}ms`);
  } catch (error) {
    throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
  }
}
