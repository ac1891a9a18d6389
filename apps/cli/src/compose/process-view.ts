import { readdirSync } from "node:fs";
import type { ProcessView } from "@gw/admin";
import { openFilesLimit } from "@gw/tcpproxy";

/** Between two measures of the delay of the event loop, in milliseconds. */
const sampleMs = 500;
/** How many of them the longest one is taken of: ten seconds. */
const keptSamples = 20;
/** The descriptors are counted once in this time, in milliseconds: with 20,000 that takes some. */
const countEveryMs = 5_000;

/** Watches what this process uses. */
export interface ProcessWatch {
  view(): ProcessView;
  stop(): void;
}

export function watchProcess(): ProcessWatch {
  const delays: number[] = [];
  let expectedAt = performance.now() + sampleMs;
  const timer = setInterval(() => {
    const now = performance.now();
    delays.push(Math.max(0, now - expectedAt));
    if (delays.length > keptSamples) delays.shift();
    expectedAt = now + sampleMs;
  }, sampleMs);
  timer.unref();
  const maxDescriptors = openFilesLimit();
  let counted: { readonly at: number; readonly open: number | undefined } | undefined;
  const openDescriptors = (): number | undefined => {
    const at = performance.now();
    if (!counted || at - counted.at >= countEveryMs) counted = { at, open: countDescriptors() };
    return counted.open;
  };
  return {
    view() {
      const { rss, heapUsed } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      const open = openDescriptors();
      return {
        rssBytes: rss,
        heapBytes: heapUsed,
        cpuSeconds: (user + system) / 1_000_000,
        ...(open !== undefined && { openDescriptors: open }),
        ...(Number.isFinite(maxDescriptors) && { maxDescriptors }),
        // The one that is under way is late by now if the loop was held up.
        eventLoopDelayMs: round(Math.max(0, performance.now() - expectedAt, ...delays)),
      };
    },
    stop() {
      clearInterval(timer);
    },
  };
}

/** Undefined where the system does not show them. */
function countDescriptors(): number | undefined {
  try {
    // One of them is that of the folder.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
