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
} from "@gw/interface";
import { changed, sameSet, without } from "./endpoint-sets.js";
import { isConfigurationError, settleOnce } from "./settling.js";

/** What one look at a source found. */
export interface Reading {
  /** Each endpoint once. */
  readonly endpoints: readonly Endpoint[];
  /** For how long this holds, in milliseconds; what it means is clamped by {@link RefreshOptions}. */
  readonly ttlMs: number;
  /** Where there are no endpoints: why. */
  readonly empty?: GatewayError;
  /** What happened if the endpoints are not those of before, as a clause. @default "it changed" */
  readonly why?: string;
}

/** When a source is read again. Sources extend it with options of their own. */
export interface RefreshOptions {
  /** The least time between two looks, in milliseconds. @default 5000 */
  readonly minRefreshMs?: number | undefined;
  /** The longest time between two looks, in milliseconds. @default 300000 */
  readonly maxRefreshMs?: number | undefined;
  /**
   * For how long in milliseconds a source may say "there are none" without a break before it is believed and an
   * empty set is yielded. Without it, and before there was a set, it never is: the last good set holds.
   */
  readonly emptyAfterMs?: number | undefined;
  /** Sees what changes and what fails. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** What holds where {@link RefreshOptions} are silent. */
export const refreshDefaults = { minRefreshMs: 5_000, maxRefreshMs: 300_000 } as const;

/**
 * A discovery that reads a source again and again: when what it read has expired, with up to a tenth of that as
 * jitter so that many gateways do not ask at once; after a failure sooner, with back-off; and on request.
 *
 * @param source names it in events
 * @param read looks once. A GatewayError with a code of the configuration's (`invalid-…`) thrown by the first
 *   look ends the iteration; everything else is reported, and tried again
 */
export function refreshing(
  source: string,
  read: (signal: AbortSignal) => Promise<Reading>,
  options: RefreshOptions = {},
): Discovery {
  const bounds = refreshBounds(options);
  return { watch: request => watch(source, read, { ...options, ...bounds }, request) };
}

/** The times between two looks that hold. @throws {GatewayError} `invalid-option` if they contradict each other */
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
  const backoff = { baseMs: minRefreshMs, maxMs: maxRefreshMs };
  const waiter = createWaiter(clock, signal, onRefresh);
  const health = sourceHealth(source, observer, clock);
  const settle = settleOnce(onSettled);
  let known: readonly Endpoint[] | undefined;
  try {
    for (let failures = 0; !signal.aborted; ) {
      let holdsMs: number;
      try {
        const reading = await read(signal);
        if (signal.aborted) return;
        const emptyForMs = health.saw(reading);
        if (reading.endpoints.length === 0) settle(reading.empty ?? noEndpoints(source));
        const outlasted = known !== undefined && emptyForMs >= (options.emptyAfterMs ?? Infinity);
        const believed = reading.endpoints.length > 0 || outlasted;
        failures = reading.endpoints.length > 0 ? 0 : failures + 1;
        holdsMs = reading.endpoints.length > 0 ? reading.ttlMs : backoffMs(failures, backoff);
        if (believed && !(known && sameSet(known, reading.endpoints))) {
          const first = !known;
          const before = known ?? [];
          known = Object.freeze(reading.endpoints.map(endpoint => Object.freeze({ ...endpoint })));
          notify(observer, "discovered", {
            source,
            why: first ? "first look" : (reading.why ?? "it changed"),
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
        if (!isFatal) health.failed(error);
        settle(error);
        if (isFatal) throw error;
        failures += 1;
        holdsMs = backoffMs(failures, backoff);
      }
      const clamped = Math.min(Math.max(holdsMs, minRefreshMs), maxRefreshMs);
      await waiter.wait(clamped * (1 + random() / 10));
    }
  } finally {
    waiter.dispose();
  }
}

function noEndpoints(source: string): GatewayError {
  return new GatewayError("name-not-resolved", `${source}: there are no endpoints`);
}

/** Remembers since when a source fails or is empty, and says each thing once. */
function sourceHealth(
  source: string,
  observer: Observer | undefined,
  clock: Clock,
): { saw(reading: Reading): number; failed(error: GatewayError): void } {
  const outage = createOutage(clock);
  let emptySince: number | undefined;
  const failed = (error: GatewayError): void => {
    const isNew = outage.failed(error.detail);
    if (isNew) notify(observer, "discoveryFailed", { source, error, ...isNew });
  };
  return {
    failed(error) {
      // Nobody said that there is nothing.
      emptySince = undefined;
      failed(error);
    },
    /** Tells for how long the source has been empty, in milliseconds; -1 when it is not. */
    saw({ endpoints, empty }) {
      if (endpoints.length === 0) {
        emptySince ??= clock.now();
        failed(empty ?? noEndpoints(source));
        return clock.now() - emptySince;
      }
      emptySince = undefined;
      const ended = outage.succeeded();
      if (ended) notify(observer, "discoveryRecovered", { source, ...ended });
      return -1;
    },
  };
}

/** Waits that end early when the signal is aborted or a refresh is asked for. */
function createWaiter(
  clock: Clock,
  signal: AbortSignal,
  onRefresh: WatchOptions["onRefresh"],
): { wait(ms: number): Promise<void>; dispose(): void } {
  let asked = false;
  let wake = (): void => {};
  const ask = (): void => {
    asked = true;
    wake();
  };
  const unsubscribe = onRefresh?.(ask);
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  return {
    wait: ms =>
      new Promise(resolve => {
        if (signal.aborted || asked) {
          asked = false;
          return resolve();
        }
        const cancel = clock.after(ms, () => wake());
        wake = () => {
          wake = () => {};
          asked = false;
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

/** An `onRefresh` that can be triggered from here as well; `trigger` does nothing while nobody listens. */
export function triggered(onRefresh: WatchOptions["onRefresh"]): {
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
