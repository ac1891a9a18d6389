import { setTimeout } from "node:timers/promises";

/** Whether `ms` milliseconds have passed; false as soon as `signal` is aborted. */
export async function wait(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    return await setTimeout(ms, true, { signal });
  } catch {
    return false;
  }
}
