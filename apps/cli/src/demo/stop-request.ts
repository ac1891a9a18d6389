import { stdoutClosed } from "../output/stdio.js";
import { stopSignals } from "../process/stop-signals.js";

/**
 * Aborted when the demo is to end: by a signal, or because nobody reads any more what it prints. Signals that are not
 * handled end the process as they always do, and nothing of the demo outlives it.
 */
export function stopRequest(): AbortSignal {
  return AbortSignal.any([stopSignals({ hangup: true }).drain, stdoutClosed]);
}
