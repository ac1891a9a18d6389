import type { Load, Report, Settings } from "../load.js";
import type { RunningSubject } from "../running-subject.js";

/** What the load program reports for the measured time, and what the proxy used in that time. */
export interface LoadResult {
  readonly report: Report;
  /** CPU time of the proxy in one second; NaN for `direct`. */
  readonly cpuPerSecond: number;
  /** Memory of the proxy in bytes with all connections open; NaN for `direct`. */
  readonly memory: number;
}

/**
 * Runs a part of the load program against a subject. CPU time is read when the measured time begins and ends, and
 * divided by the time between the readings, which may be some milliseconds late while all cores are busy.
 *
 * @throws {Error} if the load program saw errors, got nothing done, or the subject ended: such a sample does not count
 */
export async function underLoad(
  load: Load,
  running: RunningSubject,
  part: string,
  settings: Settings & { readonly warmup: number; readonly measure: number },
): Promise<LoadResult> {
  await using program = load.start(part, { to: running.address, ...settings });
  const openingMs = 20_000;
  await program.event("start", settings.warmup + openingMs);
  const first = reading(running);
  const report = await program.event("end", settings.measure + 10_000);
  const last = reading(running);
  const memory = running.group?.memory() ?? Number.NaN;
  await running.check();
  if (report["errors"] !== 0) throw new Error(`${report["errors"]} of ${report["count"]} failed`);
  if (report["count"] === 0 || report["bytes"] === 0)
    throw new Error(`nothing done in ${settings.measure} ms`);
  return { report, cpuPerSecond: (last.cpu - first.cpu) / (last.at - first.at), memory };
}

/** CPU time and the clock, both in seconds. */
function reading({ group }: RunningSubject): { readonly cpu: number; readonly at: number } {
  return { cpu: group?.cpuSeconds() ?? Number.NaN, at: performance.now() / 1000 };
}
