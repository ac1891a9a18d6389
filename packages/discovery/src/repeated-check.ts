import { backoffMs, type Clock, type Endpoint, GatewayError, type Limiter, withJitter } from "@gw/interface";
import { failureJitter, refreshJitter } from "./refresh.js";

/** Checks an endpoint: resolves if it is valid, rejects with the reason if it is not. */
export type Check = (endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>;

/** An endpoint that is checked repeatedly. */
export interface RepeatedCheck {
  /** Whether the first check has ended. */
  readonly checked: boolean;
  /** Whether it passed once, and has not been `untrusted` since. */
  readonly usable: boolean;
  /** Why the last check failed; undefined if it passed. */
  readonly error: GatewayError | undefined;
  /** Checks now; after the check that is running, if there is one. */
  checkNow(): void;
  /** Stops checking. `onResult` is not called any more. */
  stop(): void;
}

/** How endpoints are checked. */
export interface CheckOptions {
  readonly check: Check;
  /** Limits how many checks run at the same time. */
  readonly limited: Limiter;
  /** The wait after a first failure, in milliseconds; each further one doubles it, up to `maxRefreshMs`. */
  readonly minRefreshMs: number;
  /** The wait after a check that passed, in milliseconds. */
  readonly maxRefreshMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called after each check. */
  readonly onResult: () => void;
}

/** Starts to check `endpoint`, at once. Waits have the jitter of `refreshing`. */
export function checkRepeatedly(endpoint: Endpoint, options: CheckOptions): RepeatedCheck {
  const { check, limited, minRefreshMs, maxRefreshMs, clock, random, onResult } = options;
  const backoff = { baseMs: minRefreshMs, maxMs: maxRefreshMs, jitter: failureJitter, random };
  const stopped = new AbortController();
  const { signal } = stopped;
  const state = { checked: false, usable: false, error: undefined as GatewayError | undefined };
  let failures = 0;
  let cancelWait: (() => void) | undefined;
  let isRequested = false;

  const update = (error: GatewayError | undefined): void => {
    // A lack of local resources is not the endpoint's fault, and is likely to end soon.
    failures = error ? failures + (error.isLocal ? 0 : 1) : 0;
    if (!error || error.code === "untrusted") state.usable = !error;
    state.checked = true;
    state.error = error;
    onResult();
  };
  const run = async (): Promise<void> => {
    cancelWait = undefined;
    isRequested = false;
    const error = await limited(async () => {
      if (!signal.aborted) await check(endpoint, signal);
    }, state.error?.code === "timed-out").then(
      () => undefined,
      cause => GatewayError.from(cause, "check"),
    );
    if (signal.aborted) return;
    update(error);
    if (signal.aborted) return;
    if (isRequested) return run();
    const waitMs = error ? backoffMs(Math.max(failures, 1), backoff) : maxRefreshMs;
    cancelWait = clock.after(withJitter(waitMs, refreshJitter, random), run);
  };
  run();
  return {
    get checked() {
      return state.checked;
    },
    get usable() {
      return state.usable;
    },
    get error() {
      return state.error;
    },
    checkNow() {
      isRequested = true;
      if (!cancelWait) return;
      cancelWait();
      run();
    },
    stop() {
      cancelWait?.();
      stopped.abort();
    },
  };
}
