import { type Address, GatewayError } from "@gw/interface";
import { type Command, Option } from "commander";
import { formatDuration, parseDuration } from "../duration.js";
import { parsing } from "../flag.js";
import { listenFlag } from "../start-flags.js";

/** What the user said about `gw demo`; undefined where nothing was said. */
export interface DemoFlags {
  readonly listenAddr?: readonly Address[];
  readonly standIn?: boolean;
  readonly every?: number;
}

/** How often the member in use is stopped where the user does not say it, in milliseconds. */
export const defaultEveryMs = 10_000;

/** Faster than this nobody could watch it, in milliseconds. */
const leastEveryMs = 100;

/** Adds the flags of `gw demo` to `command`. */
export function addDemoFlags(command: Command): void {
  const every = `how often the member in use is stopped (default: ${formatDuration(defaultEveryMs)})`;
  command
    .addOption(listenFlag())
    .addOption(new Option("--every <duration>", every).argParser(parsing(parseEvery)))
    .addOption(new Option("--stand-in", "stand-in members also where etcd is on the PATH"));
}

/** Ends the program with an error if flags of `gw start` stand before `demo`, which would do nothing. */
export function refuseStartFlags(gw: Command): void {
  const given = gw.options.find(option => gw.getOptionValueSource(option.attributeName()) === "cli");
  if (given) gw.error(`${given.long} stands before 'demo', where it does nothing; see gw demo --help`);
}

function parseEvery(text: string): number {
  const everyMs = parseDuration(text);
  if (everyMs >= leastEveryMs) return everyMs;
  throw new GatewayError("invalid-option", `${formatDuration(everyMs)} is less than ${leastEveryMs}ms`);
}
