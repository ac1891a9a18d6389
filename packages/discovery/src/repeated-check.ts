import { type Clock, type Endpoint, GatewayError, type Limiter } from "@gw/interface";

/** Judges an endpoint: resolves when it is good, rejects with why it is not. */
export type Check = (endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>;

/** An endpoint that is checked again and again. */
export interface RepeatedCheck {
  /** Whether a first check is over. */
  readonly judged: boolean;
  /** Whether it passed once, and has not been `untrusted` since. */
  readonly usable: boolean;
  /** Why the last check failed; absent if it passed. */
  readonly error: GatewayError | undefined;
  /** Checks at once; after the check that is under way, if there is one. */
  again(): void;
  /** Ends it. No verdict comes any more. */
  stop(): void;
}

/** How endpoints are checked. */
export interface CheckOptions {
  readonly check: Check;
  /** Runs a check when its turn has come. */
  readonly limited: Limiter;
  /** The wait after a first failure; each further one doubles it, up to `maxRefreshMs`. */
  readonly minRefreshMs: number;
  /** The wait after a check that passed. */
  readonly maxRefreshMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called after each check. */
  readonly onVerdict: () => void;
}

/** Begins to check `endpoint`, at once. Waits have up to a tenth of jitter. */
export function checkRepeatedly(endpoint: Endpoint, options: CheckOptions): RepeatedCheck {
  const { check, limited, minRefreshMs, maxRefreshMs, clock, random, onVerdict } = options;
  const stopped = new AbortController();
  const { signal } = stopped;
  const state = { judged: false, usable: false, error: undefined as GatewayError | undefined };
  let failures = 0;
  let waiting: (() => void) | undefined;
  let asked = false;

  const judge = (error: GatewayError | undefined): void => {
    // Want of this machine's resources says nothing, and is likely to be over soon.
    failures = error ? failures + (error.isLocal ? 0 : 1) : 0;
    if (!error || error.code === "untrusted") state.usable = !error;
    state.judged = true;
    state.error = error;
    onVerdict();
  };
  const run = async (): Promise<void> => {
    waiting = undefined;
    asked = false;
    const error = await limited(async () => {
      if (!signal.aborted) await check(endpoint, signal);
    }, state.error?.code === "timed-out").then(
      () => undefined,
      cause => GatewayError.from(cause, "check"),
    );
    if (signal.aborted) return;
    judge(error);
    if (signal.aborted) return;
    const waitMs = error
      ? Math.min(minRefreshMs * 2 ** Math.min(Math.max(failures - 1, 0), 16), maxRefreshMs)
      : maxRefreshMs;
    if (asked) return run();
    waiting = clock.after(waitMs * (1 + random() / 10), run);
  };
  run();
  return {
    get judged() {
      return state.judged;
    },
    get usable() {
      return state.usable;
    },
    get error() {
      return state.error;
    },
    again() {
      asked = true;
      if (!waiting) return;
      waiting();
      run();
    },
    stop() {
      waiting?.();
      stopped.abort();
    },
  };
}
