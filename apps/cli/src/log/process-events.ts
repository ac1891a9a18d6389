import { messageOf, systemClock } from "@gw/interface";
import type { Logger } from "pino";
import { onFatal, onIgnoredSignal, onWarning } from "../process/events.js";
import { sometimes } from "./observer.js";

/** How many warnings of Node are logged in a minute. */
const maxWarnings = 10;

/**
 * Logs what befalls the process from now on, and what has before. An error that nobody caught is one line, and the end.
 *
 * @param flushed resolves when the log is written
 */
export function logProcessEvents(log: Logger, flushed: () => Promise<void>): void {
  const warned = sometimes(systemClock, maxWarnings);
  onIgnoredSignal(signal => log.info({ signal }, "signal ignored"));
  onWarning(warning =>
    warned(before =>
      log.warn(
        { warning: warning.name, why: messageOf(warning), ...stackOf(log, warning), ...before },
        "node warning",
      ),
    ),
  );
  onFatal(error => {
    log.error({ why: messageOf(error), ...stackOf(log, error) }, "unexpected error, ending");
    return flushed();
  });
}

/** Where it happened is for who looks closely. */
function stackOf(log: Logger, error: unknown): { readonly stack?: string } {
  const stack = log.isLevelEnabled("debug") && error instanceof Error ? error.stack : undefined;
  return stack === undefined ? {} : { stack };
}
