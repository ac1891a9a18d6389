import { quote } from "@gw/interface";
import { type Command, InvalidArgumentError } from "commander";
import { adminAddrFlag } from "../flags/admin.js";
import { parseDuration } from "../flags/duration.js";
import { declareFlags, valuesOf } from "../flags/table.js";

const flags = { adminAddr: adminAddrFlag };

/** How long `--wait` waits where it is given alone, in milliseconds. */
const waitMs = 300_000;

interface DrainOptions {
  readonly force?: boolean;
  readonly down?: boolean;
  readonly wait?: number | true;
}

/** Adds `gw drain`. */
export function addDrain(gw: Command): void {
  const command = gw
    .command("drain")
    .argument("<endpoint>", "host:port of the endpoint")
    .description("give no new connections to an endpoint")
    .usage("[flags] <endpoint>")
    .option("--down", "reset its open connections at once")
    .option("--force", "also if no other endpoint is up")
    .option(
      "--wait [duration]",
      "wait until it has no connections, for at most this long (default: 5m)",
      parseWait,
    )
    .helpOption("-h, --help", "print this help");
  declareFlags(command, flags);
  command.action(async (endpoint: string, { force = false, down = false, wait }: DrainOptions) => {
    const { drain } = await import("../maintain/hold.js");
    return drain(endpoint, {
      ...valuesOf(gw, command, flags),
      force,
      down,
      waitMs: wait === true ? waitMs : wait,
    });
  });
}

/** Adds `gw undrain`. */
export function addUndrain(gw: Command): void {
  const command = gw
    .command("undrain")
    .argument("<endpoint>", "host:port of the endpoint")
    .description("take back a drained endpoint")
    .usage("[flags] <endpoint>")
    .helpOption("-h, --help", "print this help");
  declareFlags(command, flags);
  command.action(async (endpoint: string) => {
    const { undrain } = await import("../maintain/hold.js");
    return undrain(endpoint, valuesOf(gw, command, flags));
  });
}

/** The value may be the endpoint, in `--wait 10.0.1.10:2379`. */
function parseWait(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    const shown = quote(text);
    throw new InvalidArgumentError(
      `${shown} is not a duration; write --wait=1m, or --wait after the endpoint.`,
    );
  }
}

/** Reads a duration, with commander's errors. */
export function parseFlag(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError((error as { readonly detail?: string }).detail ?? String(error));
  }
}
