import { readdirSync, readFileSync } from "node:fs";

/** What the processes of one group use, from /proc. */
export interface ProcessGroup {
  /** CPU time of all its processes since they started, in seconds: user and system, to 10 ms. */
  cpuSeconds(): number;
  /**
   * Resident memory in bytes. Pages that its processes share, as workers do after a fork, count once; pages shared
   * with programs that are not measured count in full, so that it does not matter what else runs. Kernel memory,
   * such as socket buffers, is not included.
   */
  memory(): number;
  /** Open descriptors. */
  descriptors(): number;
  /** Whether any process is left. */
  alive(): boolean;
}

/** The unit of /proc/PID/stat; the same on every Linux that Node supports. */
const ticksPerSecond = 100;

/** The group with this id, without the process `except`. */
export function processGroup(id: number, except?: number): ProcessGroup {
  const members = (): number[] => pidsOf(id).filter(pid => pid !== except);
  const sum = (of: (pid: number) => number): number =>
    members().reduce((total, pid) => total + (ifAlive(() => of(pid)) ?? 0), 0);
  return {
    cpuSeconds: () => sum(pid => cpuTicks(pid)) / ticksPerSecond,
    memory() {
      const own = sum(pid => kilobytes(pid, "smaps_rollup", /^Pss_(?:Anon|Shmem):\s+(\d+)/gm));
      // All processes of a subject run the same program: the largest has mapped what the others have mapped.
      const mapped = members().map(pid => ifAlive(() => kilobytes(pid, "status", /^RssFile:\s+(\d+)/gm)));
      return (own + Math.max(0, ...mapped.map(kb => kb ?? 0))) * 1024;
    },
    descriptors: () => sum(pid => readdirSync(`/proc/${pid}/fd`).length),
    alive: () => members().length > 0,
  };
}

function pidsOf(group: number): number[] {
  const pids = readdirSync("/proc").filter(name => /^\d+$/.test(name));
  return pids.map(Number).filter(pid => ifAlive(() => stat(pid)[2]) === `${group}`);
}

/** The fields behind the name, which may contain anything: state, ppid, pgrp, … (proc(5), from field 3 on). */
function stat(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** utime and stime, which include threads that have ended. */
function cpuTicks(pid: number): number {
  const fields = stat(pid);
  return Number(fields[11]) + Number(fields[12]);
}

function kilobytes(pid: number, file: string, pattern: RegExp): number {
  const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
  return [...text.matchAll(pattern)].reduce((total, [, kb]) => total + Number(kb), 0);
}

/** Undefined if the process ends while it is read. */
function ifAlive<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
