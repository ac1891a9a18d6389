import type { Command } from "commander";
import { adminAddrFlag } from "../flags/admin.js";
import { declareFlags, valuesOf } from "../flags/table.js";
import { parseFlag } from "./drain.js";

const flags = { adminAddr: adminAddrFlag };

/** How long connections may take to end before the command is run, in milliseconds. */
const drainTimeoutMs = 30_000;
/** How long the endpoint may take to be healthy after the command, in milliseconds. */
const recoverTimeoutMs = 300_000;

interface MaintainOptions {
  readonly force?: boolean;
  readonly drainTimeout?: number;
  readonly recoverTimeout?: number;
}

/** Adds `gw maintain`. */
export function addMaintain(gw: Command): void {
  const command = gw
    .command("maintain")
    .argument("<endpoint>", "host:port of the endpoint")
    .argument("<command...>", "command and arguments to run while the endpoint is drained, after --")
    .description("run a command while an endpoint is drained")
    .usage("[flags] <endpoint> -- <command…>")
    .option("--force", "also if it is drained, others are unhealthy, or the rest has no quorum")
    .option("--drain-timeout <duration>", "time for connections to end before (default: 30s)", parseFlag)
    .option("--recover-timeout <duration>", "time to become healthy after (default: 5m)", parseFlag)
    .helpOption("-h, --help", "print this help")
    .addHelpText(
      "after",
      "\nThe command has GW_ENDPOINT in its environment. The exit code is that of the command.",
    );
  declareFlags(command, flags);
  command.action(async (endpoint: string, words: readonly string[], given: MaintainOptions) => {
    const { maintain } = await import("../maintain/maintain.js");
    return maintain(endpoint, words, {
      ...valuesOf(gw, command, flags),
      force: given.force ?? false,
      drainTimeoutMs: given.drainTimeout ?? drainTimeoutMs,
      recoverTimeoutMs: given.recoverTimeout ?? recoverTimeoutMs,
    });
  });
}
