import { cpus, release, totalmem } from "node:os";
import { runProgram } from "@gw/testing";
import type { Machine } from "./results.js";

/** What the figures were taken on. */
export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? "unknown", cores: all.length, memory: totalmem(), kernel: release() };
}

/** How many descriptors a process may open here. Node raises its own limit to the hard one; so do its children. */
export async function descriptorLimit(): Promise<number> {
  const { stdout } = await runProgram("sh", ["-c", "ulimit -n"]);
  return Number(stdout);
}

/** The commit that is checked out, with "-dirty" where files differ from it; "unknown" outside of git. */
export async function commit(): Promise<string> {
  const options = { cwd: import.meta.dirname };
  const head = await runProgram("git", ["rev-parse", "--short", "HEAD"], options);
  if (head.code !== 0) return "unknown";
  const changes = await runProgram("git", ["status", "--porcelain"], options);
  return `${head.stdout.trim()}${changes.stdout === "" ? "" : "-dirty"}`;
}
