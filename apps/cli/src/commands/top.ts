import { type Command, InvalidArgumentError } from "commander";
import { adminAddrFlag } from "../flags/admin.js";
import { declareFlags, valuesOf } from "../flags/table.js";
import { parseFlag } from "./drain.js";

const flags = { adminAddr: adminAddrFlag };

/** The time between two measurements, in milliseconds: the default, which is that of the stream and the shortest; the longest. */
const [intervalMs, longestMs] = [1_000, 60_000] as const;

/** Adds `gw top`. */
export function addTop(gw: Command): void {
  const command = gw
    .command("top")
    .description("watch a running gateway")
    .usage("[flags]")
    .option("--interval <duration>", "time between two measurements (default: 1s)", parseInterval)
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", "\nKeys: ? shows them. Without a terminal it prints one measurement and ends.");
  declareFlags(command, flags);
  command.action(async ({ interval = intervalMs }: { readonly interval?: number }) => {
    const { top } = await import("../top/top.js");
    return top({ ...valuesOf(gw, command, flags), intervalMs: interval });
  });
}

function parseInterval(text: string): number {
  const ms = parseFlag(text);
  if (ms >= intervalMs && ms <= longestMs) return ms;
  throw new InvalidArgumentError(`${JSON.stringify(text)} is not between 1s and 1m`);
}
