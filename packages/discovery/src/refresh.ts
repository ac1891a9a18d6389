import {
  backoffMs,
  type Clock,
  createOutage,
  type Discovery,
  type Endpoint,
  GatewayError,
  notify,
  type Observer,
  systemClock,
  type WatchOptions,
  withJitter,
} from "@gw/interface";
import { changed, sameSet, without } from "./endpoint-sets.js";
import { isConfigurationError, settleOnce } from "./settling.js";

/** What one read of a source found. */
export interface Reading {
  /** Each endpoint once. */
  readonly endpoints: readonly Endpoint[];
  /** How long this is valid, in milliseconds, within the bounds of {@link RefreshOptions}. */
  readonly ttlMs: number;
  /** Why there are no endpoints. */
  readonly empty?: GatewayError;
  /** What happened if the endpoints have changed, as a clause. @default "it changed" */
  readonly why?: string;
}

/** When a source is read again. Sources extend it with options of their own. */
export interface RefreshOptions {
  /** The least time between two reads, in milliseconds. @default 5000 */
  readonly minRefreshMs?: number | undefined;
  /** The longest time between two reads, in milliseconds, without jitter. @default 300000 */
  readonly maxRefreshMs?: number | undefined;
  /**
   * How long a source must be empty, without a break and in milliseconds, before an empty set is yielded. Without it,
   * and before the first set, none ever is: the last good set stays.
   */
  readonly emptyAfterMs?: number | undefined;
  /** Notified of changes, failures and recoveries. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Defaults of {@link RefreshOptions}. */
export const refreshDefaults = { minRefreshMs: 5_000, maxRefreshMs: 300_000 } as const;

/**
 * Up to this part of a wait is added at random. Many gateways get the same TTL, and from a caching server even the same
 * moment at which it ends; not sooner, since that server would answer with what is left of the TTL.
 */
export const refreshJitter = 0.2;
/** Up to this part of a delay that has grown is taken off at random: a source fails for many gateways at once. */
export const failureJitter = 0.5;

/**
 * A discovery that reads a source repeatedly: when what it read has expired, after a failure with back-off, and on
 * request. Waits have {@link refreshJitter} and {@link failureJitter}.
 *
 * @param source names it in events
 * @param read reads once. While there is no set yet, a GatewayError with a code of the configuration's (`invalid-…`) ends
 *   the iteration; all other errors are reported, and the read is repeated
 */
export function refreshing(
  source: string,
  read: (signal: AbortSignal) => Promise<Reading>,
  options: RefreshOptions = {},
): Discovery {
  const bounds = refreshBounds(options);
  return { watch: request => watch(source, read, { ...options, ...bounds }, request) };
}

/** The times between two reads, with their defaults. @throws {GatewayError} `invalid-option` if they contradict each other */
export function refreshBounds({
  minRefreshMs = refreshDefaults.minRefreshMs,
  maxRefreshMs = refreshDefaults.maxRefreshMs,
}: RefreshOptions): { readonly minRefreshMs: number; readonly maxRefreshMs: number } {
  if (minRefreshMs > 0 && maxRefreshMs >= minRefreshMs) return { minRefreshMs, maxRefreshMs };
  throw new GatewayError(
    "invalid-option",
    `the least time between look-ups, ${minRefreshMs} ms, must be more than 0 and not more than the longest, ${maxRefreshMs} ms`,
  );
}

async function* watch(
  source: string,
  read: (signal: AbortSignal) => Promise<Reading>,
  options: RefreshOptions & { readonly minRefreshMs: number; readonly maxRefreshMs: number },
  { signal, onRefresh, onSettled }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const { minRefreshMs, maxRefreshMs, observer, clock = systemClock, random = Math.random } = options;
  const backoff = { baseMs: minRefreshMs, maxMs: maxRefreshMs, jitter: failureJitter, random };
  const waiter = createWaiter(clock, signal, onRefresh);
  const status = createStatus(source, observer, clock);
  const settle = settleOnce(onSettled);
  let known: readonly Endpoint[] | undefined;
  try {
    for (let failures = 0; !signal.aborted; ) {
      let validMs: number;
      try {
        const reading = await read(signal);
        if (signal.aborted) return;
        const emptyForMs = status.read(reading);
        if (reading.endpoints.length === 0) settle(reading.empty ?? noEndpoints(source));
        const isEmpty = known !== undefined && emptyForMs >= (options.emptyAfterMs ?? Infinity);
        const isValid = reading.endpoints.length > 0 || isEmpty;
        failures = reading.endpoints.length > 0 ? 0 : failures + 1;
        validMs = reading.endpoints.length > 0 ? reading.ttlMs : backoffMs(failures, backoff);
        if (isValid && !(known && sameSet(known, reading.endpoints))) {
          const first = !known;
          const before = known ?? [];
          known = Object.freeze(reading.endpoints.map(endpoint => Object.freeze({ ...endpoint })));
          notify(observer, "discovered", {
            source,
            why: first ? "first look-up" : (reading.why ?? "it changed"),
            added: without(known, before),
            removed: without(before, known),
            changed: changed(before, known),
          });
          settle();
          yield known;
        }
      } catch (cause) {
        if (signal.aborted) return;
        const error = GatewayError.from(cause, source);
        const isFatal = !known && isConfigurationError(error);
        if (!isFatal) status.failed(error);
        settle(error);
        if (isFatal) throw error;
        failures += 1;
        validMs = backoffMs(failures, backoff);
      }
      const clamped = Math.min(Math.max(validMs, minRefreshMs), maxRefreshMs);
      await waiter.wait(withJitter(clamped, refreshJitter, random));
    }
  } finally {
    waiter.dispose();
  }
}

function noEndpoints(source: string): GatewayError {
  return new GatewayError("name-not-resolved", `${source}: there are no endpoints`);
}

/** Tracks since when a source fails or is empty, and reports each change once. */
function createStatus(
  source: string,
  observer: Observer | undefined,
  clock: Clock,
): { read(reading: Reading): number; failed(error: GatewayError): void } {
  const outage = createOutage(clock);
  let emptySince: number | undefined;
  const failed = (error: GatewayError): void => {
    const isNew = outage.failed(error.detail);
    if (isNew) notify(observer, "discoveryFailed", { source, error, ...isNew });
  };
  return {
    failed(error) {
      // A failure does not mean that there are no endpoints.
      emptySince = undefined;
      failed(error);
    },
    /** Returns how long the source has been empty, in milliseconds; -1 if it is not. */
    read({ endpoints, empty }) {
      if (endpoints.length === 0) {
        emptySince ??= clock.now();
        failed(empty ?? noEndpoints(source));
        return clock.now() - emptySince;
      }
      emptySince = undefined;
      notify(observer, "discoveryRead", { source, endpoints: endpoints.length });
      const ended = outage.succeeded();
      if (ended) notify(observer, "discoveryRecovered", { source, ...ended });
      return -1;
    },
  };
}

/** Waits that end early when the signal is aborted or a refresh is requested. */
function createWaiter(
  clock: Clock,
  signal: AbortSignal,
  onRefresh: WatchOptions["onRefresh"],
): { wait(ms: number): Promise<void>; dispose(): void } {
  let requested = false;
  let wake = (): void => {};
  const request = (): void => {
    requested = true;
    wake();
  };
  const unsubscribe = onRefresh?.(request);
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  return {
    wait: ms =>
      new Promise(resolve => {
        if (signal.aborted || requested) {
          requested = false;
          return resolve();
        }
        const cancel = clock.after(ms, () => wake());
        wake = () => {
          wake = () => {};
          requested = false;
          cancel();
          resolve();
        };
      }),
    dispose() {
      unsubscribe?.();
      signal.removeEventListener("abort", onAbort);
    },
  };
}

/** An `onRefresh` that is also called by `trigger`. */
export function triggerable(onRefresh: WatchOptions["onRefresh"]): {
  readonly onRefresh: NonNullable<WatchOptions["onRefresh"]>;
  readonly trigger: () => void;
} {
  const listeners = new Set<() => void>();
  return {
    onRefresh(listener) {
      listeners.add(listener);
      const unsubscribe = onRefresh?.(listener);
      return () => {
        listeners.delete(listener);
        unsubscribe?.();
      };
    },
    trigger() {
      for (const listener of listeners) listener();
    },
  };
}
