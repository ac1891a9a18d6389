import { readFileSync } from "node:fs";

/** Descriptors of one relayed connection: the client's socket and the backend's. */
const perConnection = 2;
/** Kept free for everything else: Node's own, listeners, look-ups, probes, the log. */
const reserved = 64;

/**
 * How many connections this process can relay before it runs out of file descriptors: from `ulimit -n`, two
 * for each, with some kept free. `Infinity` where the system has no such limit (Windows).
 *
 * Beyond the limit libuv accepts clients and closes them without an error, so a proxy has to stay below it.
 *
 * @param extra how many descriptors the relay may have besides: {@link Relay.extraDescriptors}
 */
export function connectionLimit(extra = 0): number {
  return limitFor(openFilesLimit(), extra);
}

/** At least one connection; where descriptors are scarce, half of them are kept free. */
export function limitFor(openFiles: number, extra = 0): number {
  const kept = Math.min(reserved, openFiles / 2);
  return Math.max(1, Math.floor((openFiles - kept - extra) / perConnection));
}

/** How many files this process may open: the soft limit, which Node raises to the hard limit when it starts. */
export function openFilesLimit(): number {
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    if (soft) return soft === "unlimited" ? Infinity : Number(soft);
  } catch {
    // Not Linux, or /proc is not mounted.
  }
  try {
    const report = process.report?.getReport() as
      | { userLimits?: { open_files?: { soft?: unknown } } }
      | undefined;
    const soft = report?.userLimits?.open_files?.soft;
    return typeof soft === "number" ? soft : Infinity;
  } catch {
    return Infinity;
  }
}
