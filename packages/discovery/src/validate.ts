import {
  type Discovery,
  type Endpoint,
  GatewayError,
  notify,
  systemClock,
  type WatchOptions,
} from "@gw/interface";
import { without } from "./endpoint-sets.js";
import { type RefreshOptions, refreshDefaults } from "./refresh.js";
import type { Check } from "./repeated-check.js";
import { settleOnce, watchSettling } from "./settling.js";
import { createValidatedSet, type ValidatedSetOptions } from "./validated-set.js";

/** Options of {@link validated}. */
export interface ValidatedOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /** Names it in events. @default "validation" */
  readonly source?: string | undefined;
  /** Which endpoints are checked; the others are used as they are. @default those that are `secure` */
  readonly demands?: ((endpoint: Endpoint) => boolean) | undefined;
  /** How many checks may run at the same time. @default 16 */
  readonly concurrency?: number | undefined;
}

/** Defaults of {@link ValidatedOptions}. */
export const validatedDefaults = { source: "validation", concurrency: 16 } as const;

/**
 * The endpoints of `source` that pass `check`. They are checked when the source has a new set, on request, and
 * repeatedly: `maxRefreshMs` after a check that passed, sooner after one that failed (`minRefreshMs`, doubled with each
 * failure). Checks of different endpoints run in parallel.
 *
 * - An endpoint that passes is used.
 * - One that is `untrusted` is not, even if it was used before. If none is left, **the set is empty**: no connection is
 *   better than one to an untrusted server.
 * - With any other error (it is down, it hangs) the check has no result: the endpoint is used if it passed before, since
 *   the pool finds out that it is down. Otherwise it is not used until it passes. So network failures never empty a set:
 *   if no endpoint of a new set passes, the last set stays.
 *
 * Before a first endpoint has passed nothing is yielded, and the observer is notified why (`discoveryFailed`). A new set is
 * yielded when all its endpoints are checked, but after a second without the slow ones.
 *
 * The observer is notified of changes by validation (`discovered`); the source reports its own.
 *
 * It is settled (`onSettled`) when the source is: a first set need not have passed.
 *
 * It ends when the source has ended and there is nothing to check; it throws what the source throws.
 *
 * @param check rejects with a GatewayError `untrusted` if the endpoint must not be used, with another if it has
 *   no result; must end when its signal is aborted. It has its own timeout
 */
export function validated(source: Discovery, check: Check, options: ValidatedOptions = {}): Discovery {
  const minRefreshMs = options.minRefreshMs ?? refreshDefaults.minRefreshMs;
  const maxRefreshMs = options.maxRefreshMs ?? refreshDefaults.maxRefreshMs;
  if (!(minRefreshMs > 0 && maxRefreshMs >= minRefreshMs))
    throw new GatewayError(
      "invalid-option",
      `the least time between checks, ${minRefreshMs} ms, must be more than 0 and not more than the longest, ${maxRefreshMs} ms`,
    );
  const { concurrency = validatedDefaults.concurrency } = options;
  if (!(concurrency >= 1))
    throw new GatewayError("invalid-option", `concurrency ${concurrency} is not 1 or more`);
  const settings: ValidatedSetOptions = {
    check,
    concurrency,
    minRefreshMs,
    maxRefreshMs,
    demands: options.demands ?? (endpoint => endpoint.secure === true),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    observer: options.observer,
    source: options.source ?? validatedDefaults.source,
  };
  return { watch: request => watch(source, settings, request) };
}

async function* watch(
  source: Discovery,
  settings: ValidatedSetOptions,
  { signal, onRefresh, onSettled }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const changes = createWakeUp();
  const onAbort = (): void => {
    stop.abort();
    changes.notify();
  };
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const validatedSet = createValidatedSet(settings, changes.notify);
  const unsubscribe = onRefresh?.(validatedSet.checkAll);
  let ended: { readonly thrown?: unknown } | undefined;
  /** The last set that was yielded, and that of the source at that time. */
  let before: { readonly offered: readonly Endpoint[]; readonly used: readonly Endpoint[] } | undefined;
  let offered: readonly Endpoint[] = [];
  /** Reports changes by validation; the source has reported its own. */
  const report = (used: readonly Endpoint[]): void => {
    const added = before ? without(among(used, before.offered), before.used) : [];
    const removed = before ? without(among(before.used, offered), used) : [];
    before = { offered, used };
    if (added.length + removed.length === 0) return;
    const why = "the results of their certificate checks changed";
    notify(settings.observer, "discovered", { source: settings.source, why, added, removed, changed: [] });
  };
  const reading = follow(
    source,
    { signal: stop.signal, onRefresh, onSettled: settleOnce(onSettled) },
    set => {
      if (stop.signal.aborted) return;
      offered = set;
      validatedSet.offer(set);
      changes.notify();
    },
  ).then(result => {
    ended = result;
    changes.notify();
  });
  try {
    while (!signal.aborted) {
      const set = validatedSet.next();
      if (set) {
        report(set);
        yield set;
      } else if (ended && "thrown" in ended) throw ended.thrown;
      else if (ended && !validatedSet.hasChecks) return;
      else await changes.wait();
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    unsubscribe?.();
    validatedSet.stop();
    stop.abort();
    await reading;
  }
}

/** Those of `endpoints` that are among `others` too, by host and port. */
function among(endpoints: readonly Endpoint[], others: readonly Endpoint[]): readonly Endpoint[] {
  return without(endpoints, without(endpoints, others));
}

/** Passes on the sets of `source`. Resolves when it has ended, with what it threw. */
async function follow(
  source: Discovery,
  request: WatchOptions,
  onSet: (set: readonly Endpoint[]) => void,
): Promise<{ readonly thrown?: unknown }> {
  try {
    for await (const set of watchSettling(source, request)) onSet(set);
    return {};
  } catch (thrown) {
    return { thrown };
  }
}

/** Wakes one waiter; a notification before the wait counts as well. */
function createWakeUp(): { notify(): void; wait(): Promise<void> } {
  let notified = false;
  let wake = (): void => {};
  return {
    notify() {
      notified = true;
      wake();
    },
    async wait() {
      if (!notified)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      notified = false;
    },
  };
}
