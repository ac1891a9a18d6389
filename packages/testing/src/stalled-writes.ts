import { startProgram } from "./program.js";

/**
 * Makes a process's writes to disk hang, as a dying disk does: calls of fsync and fdatasync do not return, and whatever
 * else the process does goes on. Needs `strace`. `await using` lets them go on.
 *
 * @param pid of a process that this user may trace
 */
export async function stallWrites(pid: number): Promise<AsyncDisposable> {
  const calls = "fsync,fdatasync";
  const hold = [`--trace=${calls}`, `--inject=${calls}:delay_enter=3600s`];
  const tracer = startProgram("strace", ["--follow-forks", `--attach=${pid}`, ...hold]);
  await tracer.printed(/attached/);
  return tracer;
}
