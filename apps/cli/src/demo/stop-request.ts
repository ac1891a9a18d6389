import { stopSignals } from "../stop-signals.js";

/**
 * Aborted when the demo is to end: by SIGINT, by SIGTERM, or because nobody reads any more what it prints.
 * Other signals end the process as they always do, and nothing of the demo outlives it.
 */
export function stopRequest(): AbortSignal {
  const unread = new AbortController();
  process.stdout.on("error", () => unread.abort("stdout is closed"));
  return AbortSignal.any([stopSignals().drain, unread.signal]);
}
