import { readdirSync, readFileSync } from "node:fs";

/** What the processes of one group use, as /proc tells it. */
export interface ProcessGroup {
  /** CPU time of all its processes since they started, in seconds: user and system, to 10 ms. */
  cpuSeconds(): number;
  /**
   * Resident memory in bytes. Pages that its processes share, as workers do after a fork, count once; what
   * they share with programs that are not measured counts in full, so that it does not matter what else runs.
   * Memory of the kernel's, such as socket buffers, is not in it.
   */
  memory(): number;
  /** Open descriptors. */
  descriptors(): number;
  /** Whether any process is left. */
  alive(): boolean;
}

/** The ticks of /proc/PID/stat; the same on all Linux that Node runs on. */
const ticksPerSecond = 100;

/** The group with this id, without the process `except`. */
export function processGroup(id: number, except?: number): ProcessGroup {
  const members = (): number[] => pidsOf(id).filter(pid => pid !== except);
  const sum = (of: (pid: number) => number): number =>
    members().reduce((total, pid) => total + (whileAlive(() => of(pid)) ?? 0), 0);
  return {
    cpuSeconds: () => sum(pid => cpuTicks(pid)) / ticksPerSecond,
    memory() {
      const own = sum(pid => kilobytes(pid, "smaps_rollup", /^Pss_(?:Anon|Shmem):\s+(\d+)/gm));
      // All processes of a subject run the same program: the largest of them has mapped what the others have.
      const mapped = members().map(pid => whileAlive(() => kilobytes(pid, "status", /^RssFile:\s+(\d+)/gm)));
      return (own + Math.max(0, ...mapped.map(kb => kb ?? 0))) * 1024;
    },
    descriptors: () => sum(pid => readdirSync(`/proc/${pid}/fd`).length),
    alive: () => members().length > 0,
  };
}

function pidsOf(group: number): number[] {
  const pids = readdirSync("/proc").filter(name => /^\d+$/.test(name));
  return pids.map(Number).filter(pid => whileAlive(() => stat(pid)[2]) === `${group}`);
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

/** A process may end while it is looked at. */
function whileAlive<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
