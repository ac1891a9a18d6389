import { type Clock, type Discovery, type Endpoint, type GatewayError, systemClock } from "@gw/interface";
import { sameSet, union } from "./endpoint-sets.js";
import { isConfigurationError, settleOnce, watchSettling } from "./settling.js";

/** Options of {@link withFallback}. */
export interface FallbackOptions {
  /** Used while the source has no endpoints yet; of duplicates, the first counts. None: the source is used as it is. */
  readonly endpoints: readonly Endpoint[];
  /** How long the source may take for its first outcome, in milliseconds. @default 3000 */
  readonly afterMs?: number | undefined;
  /** The fallback is used from now on: the source failed for this reason, or has had no outcome for `afterMs`. */
  readonly onUsed?: ((error?: GatewayError) => void) | undefined;
  /** The source has its first set, which replaces the fallback. */
  readonly onDropped?: (() => void) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Defaults of {@link FallbackOptions}. */
export const fallbackDefaults = { afterMs: 3_000 } as const;

/**
 * A source whose endpoints are replaced by others until it has any: if its first outcome is a failure, or it has none
 * after `afterMs`, the fallback is yielded. The first set of the source replaces all of it, and it is not used again.
 *
 * A fault of the configuration ends the iteration, as without a fallback.
 */
export function withFallback(source: Discovery, options: FallbackOptions): Discovery {
  const endpoints = Object.freeze(union([options.endpoints]).map(endpoint => Object.freeze({ ...endpoint })));
  if (endpoints.length === 0) return source;
  return {
    async *watch({ signal, onRefresh, onSettled }) {
      const { afterMs = fallbackDefaults.afterMs, clock = systemClock, onUsed, onDropped } = options;
      const stop = new AbortController();
      const end = (): void => stop.abort();
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
      const settle = settleOnce(onSettled);
      let onFailure = (_: GatewayError): void => {};
      const sets = watchSettling(source, {
        signal: stop.signal,
        onRefresh,
        onSettled: error => (error && !isConfigurationError(error) ? onFailure(error) : settle(error)),
      })[Symbol.asyncIterator]();
      let cancel = (): void => {};
      const missing = new Promise<{ readonly why: GatewayError | undefined }>(resolve => {
        onFailure = why => resolve({ why });
        cancel = clock.after(afterMs, () => resolve({ why: undefined }));
      });
      const first = sets.next();
      try {
        const found = await Promise.race([first, missing]);
        const isUsed = "why" in found && !stop.signal.aborted;
        if (isUsed) {
          onUsed?.(found.why);
          settle();
          yield endpoints;
        }
        const { done, value } = await first;
        if (done) return;
        if (isUsed) onDropped?.();
        if (!isUsed || !sameSet(endpoints, value)) yield value;
        for (let next = await sets.next(); !next.done; next = await sets.next()) yield next.value;
      } finally {
        cancel();
        end();
        signal.removeEventListener("abort", end);
        // What it throws after the end is of no interest.
        await first.catch(() => {});
        await sets.return?.();
      }
    },
  };
}
