/**
 * A program of its own: `node etcd-keeper.js <folder>`, forked by the demo. It owns the demo's etcd
 * processes and their folder, and lives as long as its channel to the demo: in whatever way the demo ends,
 * the channel closes, and then the etcd processes are killed and the folder is removed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import "../process/events.js";

/** What the demo asks for: an etcd process, by a name that no running one has, or the end of it. */
export type KeeperRequest =
  | { readonly start: string; readonly args: readonly string[] }
  | { readonly stop: string };

/** What the demo is told: this process is gone, and why, in one line. */
export interface KeeperNotice {
  readonly ended: string;
  readonly why: string;
}

/** How much of a process's log is kept, in characters: enough for its last error. */
const logTail = 8_192;

const [folder = ""] = process.argv.slice(2);
const running = new Map<string, ChildProcess>();

function start(name: string, args: readonly string[]): void {
  const child = spawn("etcd", args, { stdio: ["ignore", "ignore", "pipe"], windowsHide: true });
  running.set(name, child);
  let log = "";
  child.stderr.setEncoding("utf8").on("data", text => {
    log = (log + text).slice(-logTail);
  });
  child.on("error", error => ended(name, child, error.message));
  child.on("close", (code, signal) => ended(name, child, lastError(log) || `${signal ?? `status ${code}`}`));
}

function ended(name: string, child: ChildProcess, why: string): void {
  if (running.get(name) !== child) return;
  running.delete(name);
  const notice: KeeperNotice = { ended: name, why };
  if (process.connected) process.send?.(notice, () => {});
  else leaveIfIdle();
}

/** The last error in etcd's log, which is zap's JSON; the last line if it has written none. */
function lastError(log: string): string {
  const lines = log.trim().split("\n");
  const line = lines.findLast(one => /"level":"(?:error|panic|fatal)"/.test(one)) ?? lines.at(-1) ?? "";
  return /"error":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line;
}

function leave(): void {
  for (const child of running.values()) child.kill("SIGKILL");
  leaveIfIdle();
}

function leaveIfIdle(): void {
  if (running.size > 0) return;
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
}

// The demo alone decides. Who signals a whole service or session reaches the demo as well, which then leaves.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
process.on("message", (request: KeeperRequest) => {
  if ("start" in request) start(request.start, request.args);
  else running.get(request.stop)?.kill("SIGKILL");
});
process.on("disconnect", leave);
// The demo may be gone before this program was loaded.
if (!process.connected) leave();
