import { existsSync, readdirSync } from "node:fs";
import { Surprise } from "./waiting.js";

const folder = "/proc/self/fd";

/** Whether descriptors can be counted here. */
export const descriptorsAreKnown: boolean = existsSync(folder);

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync(folder).length;
}

/** Demands that no more than `count` descriptors are open, now or within `limitMs`. */
export async function descriptorsFallTo(count: number, limitMs: number): Promise<void> {
  const limit = performance.now() + limitMs;
  while (openDescriptors() > count) {
    if (performance.now() > limit)
      throw new Surprise(`${openDescriptors()} descriptors are open, where it was ${count} before`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
