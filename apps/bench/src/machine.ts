import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { runProgram } from "@gw/testing";
import type { Machine } from "./results.js";

/** The machine that the figures are from. */
export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? "unknown", cores: all.length, memory: totalmem(), kernel: release() };
}

/** The descriptor limit of a process. Node raises its own limit to the hard one, and its children inherit it. */
export function descriptorLimit(): number {
  return Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
}

/** The commit that is checked out, with "-dirty" if files differ from it; "unknown" outside of git. */
export async function commit(): Promise<string> {
  const options = { cwd: import.meta.dirname };
  const head = await runProgram("git", ["rev-parse", "--short", "HEAD"], options);
  if (head.code !== 0) return "unknown";
  const changes = await runProgram("git", ["status", "--porcelain"], options);
  return `${head.stdout.trim()}${changes.stdout === "" ? "" : "-dirty"}`;
}
