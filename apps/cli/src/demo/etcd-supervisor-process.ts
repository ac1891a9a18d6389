/**
 * A separate program, `node etcd-supervisor-process.js <folder>`, which the demo forks. It owns the demo's etcd
 * processes and their folder. However the demo ends, its channel to this program closes; then the etcd processes are
 * killed and the folder is removed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import "../process/events.js";

/** From the demo: start an etcd process, under a name that no running one has, or stop one. */
export type SupervisorRequest =
  | { readonly start: string; readonly args: readonly string[] }
  | { readonly stop: string };

/** To the demo: this process has ended, and why, in one line. */
export interface ProcessEnded {
  readonly ended: string;
  readonly why: string;
}

/** Characters of a process's log that are kept: enough for its last error. */
const logTailLength = 8_192;

const [folder = ""] = process.argv.slice(2);
const running = new Map<string, ChildProcess>();

function start(name: string, args: readonly string[]): void {
  const child = spawn("etcd", args, { stdio: ["ignore", "ignore", "pipe"], windowsHide: true });
  running.set(name, child);
  let log = "";
  child.stderr.setEncoding("utf8").on("data", text => {
    log = (log + text).slice(-logTailLength);
  });
  child.on("error", error => ended(name, child, error.message));
  child.on("close", (code, signal) => ended(name, child, lastError(log) || `${signal ?? `status ${code}`}`));
}

function ended(name: string, child: ChildProcess, why: string): void {
  if (running.get(name) !== child) return;
  running.delete(name);
  const notice: ProcessEnded = { ended: name, why };
  if (process.connected) process.send?.(notice, () => {});
  else exitWhenIdle();
}

/** The last error in etcd's log, which is zap's JSON; the last line if there is none. */
function lastError(log: string): string {
  const lines = log.trim().split("\n");
  const line = lines.findLast(one => /"level":"(?:error|panic|fatal)"/.test(one)) ?? lines.at(-1) ?? "";
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line;
}

function killAll(): void {
  for (const child of running.values()) child.kill("SIGKILL");
  exitWhenIdle();
}

function exitWhenIdle(): void {
  if (running.size > 0) return;
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
}

// Only the demo decides. A signal to a whole service or session reaches the demo as well, which then ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.on("message", (request: SupervisorRequest) => {
  if ("start" in request) start(request.start, request.args);
  else running.get(request.stop)?.kill("SIGKILL");
});
process.on("disconnect", killAll);
// The demo may have ended before this program was loaded.
if (!process.connected) killAll();
