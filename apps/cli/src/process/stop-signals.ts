import { terminalClosed } from "./end.js";
import { onHangup } from "./events.js";

/** Signals with which a person or a service manager ends the gateway. */
const signals = ["SIGINT", "SIGTERM"] as const;

/**
 * One Ctrl-C reaches a program that was started by npm or npx twice: from the terminal and from npm. What
 * follows a signal within this time is taken for the same request.
 */
const sameRequestMs = 100;

const requested = new AbortController();
/** Aborted by the first request to stop. */
export const stopRequested: AbortSignal = requested.signal;

/** Aborted by requests to stop: `drain` by the first, `atOnce` by the second. */
export interface StopSignals {
  readonly drain: AbortSignal;
  readonly atOnce: AbortSignal;
  /** Gives the signals back to their default, which is to end the process. */
  dispose(): void;
}

/**
 * Listens for requests to stop from now on. The reason of each AbortSignal is the signal's name.
 *
 * @param options.hangup whether SIGHUP is one: it is where a terminal that closes sends it, and not for a service
 */
export function stopSignals({ hangup }: { readonly hangup: boolean }): StopSignals {
  const drain = new AbortController();
  const atOnce = new AbortController();
  let first = 0;
  const onSignal = (name: string): void => {
    requested.abort(name);
    if (name === "SIGHUP") terminalClosed();
    if (!drain.signal.aborted) {
      first = performance.now();
      drain.abort(name);
    } else if (performance.now() - first > sameRequestMs) {
      atOnce.abort(name);
    }
  };
  for (const name of signals) process.on(name, onSignal);
  if (hangup) onHangup(onSignal);
  return {
    drain: drain.signal,
    atOnce: atOnce.signal,
    dispose: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
