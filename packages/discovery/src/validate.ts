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
import { createVetting, type VettingOptions } from "./validated-set.js";

/** Options of {@link validated}. */
export interface ValidatedOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /** Names it in events. @default "validation" */
  readonly source?: string | undefined;
  /** Which endpoints are checked; the others are used as they are. @default those that are `secure` */
  readonly demands?: ((endpoint: Endpoint) => boolean) | undefined;
  /** How many checks may run at once. @default 16 */
  readonly concurrency?: number | undefined;
}

/** What holds where {@link ValidatedOptions} are silent. */
export const validatedDefaults = { source: "validation", concurrency: 16 } as const;

/**
 * Those endpoints of `source` that pass `check`: when they are found, whenever the source has a new set, on
 * request, and again and again in between: `maxRefreshMs` after a check that passed, sooner after one that did
 * not (`minRefreshMs`, doubled with each failure). Checks of different endpoints run side by side.
 *
 * - An endpoint that passes is used.
 * - One that is `untrusted` is not, even if it was used before. When none is left, **the set is empty**: who
 *   demands validation would rather be cut off than be served by someone else.
 * - One of which nothing can be told (any other error: it is down, it hangs) is used if it passed before, since
 *   to notice that it is down is the pool's business. Else it is not, until it passes. So failures of the
 *   network never empty a set: where no endpoint of a new set can be told good, the last set holds.
 *
 * Before a first endpoint has passed nothing is yielded, and the observer is told why (`discoveryFailed`). A new
 * set is yielded when all its endpoints are judged, but waits for the slow no longer than a second.
 *
 * The observer is told of changes that verdicts make (`discovered`); the source tells its own.
 *
 * It is settled (`onSettled`) when the source is: a first set need not have passed.
 *
 * It ends when the source has ended and there is nothing to check; it throws what the source throws.
 *
 * @param check rejects with a GatewayError `untrusted` if the endpoint must not be used, with another if it
 *   cannot tell; to be given up when its signal is aborted. A time limit is its own business
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
  const settings: VettingOptions = {
    check,
    concurrency,
    minRefreshMs,
    maxRefreshMs,
    demands: options.demands ?? (endpoint => endpoint.secure === true),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    observer: options.observer,
    name: options.source ?? validatedDefaults.source,
  };
  return { watch: request => watch(source, settings, request) };
}

async function* watch(
  source: Discovery,
  settings: VettingOptions,
  { signal, onRefresh, onSettled }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const news = createNews();
  const onAbort = (): void => {
    stop.abort();
    news.tell();
  };
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const vetting = createVetting(settings, news.tell);
  const unsubscribe = onRefresh?.(vetting.again);
  let over: { readonly thrown?: unknown } | undefined;
  /** What the source said when the last set was yielded, what it says now, and that set. */
  let before: { readonly offered: readonly Endpoint[]; readonly used: readonly Endpoint[] } | undefined;
  let offered: readonly Endpoint[] = [];
  /** Tells what the verdicts changed; what the source changed, it has told itself. */
  const tell = (used: readonly Endpoint[]): void => {
    const added = before ? without(among(used, before.offered), before.used) : [];
    const removed = before ? without(among(before.used, offered), used) : [];
    before = { offered, used };
    if (added.length + removed.length === 0) return;
    const why = "the verdicts on their certificates changed";
    notify(settings.observer, "discovered", { source: settings.name, why, added, removed, changed: [] });
  };
  const reading = follow(
    source,
    { signal: stop.signal, onRefresh, onSettled: settleOnce(onSettled) },
    set => {
      if (stop.signal.aborted) return;
      offered = set;
      vetting.offer(set);
      news.tell();
    },
  ).then(how => {
    over = how;
    news.tell();
  });
  try {
    while (!signal.aborted) {
      const set = vetting.next();
      if (set) {
        tell(set);
        yield set;
      } else if (over && "thrown" in over) throw over.thrown;
      else if (over && !vetting.busy) return;
      else await news.come();
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    unsubscribe?.();
    vetting.stop();
    stop.abort();
    await reading;
  }
}

/** Those of `endpoints` that are among `others` too, by host and port. */
function among(endpoints: readonly Endpoint[], others: readonly Endpoint[]): readonly Endpoint[] {
  return without(endpoints, without(endpoints, others));
}

/** Passes on the sets of `source` as they come. Resolves with how it ended. */
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

/** Wakes one who waits; what was told before, too. */
function createNews(): { tell(): void; come(): Promise<void> } {
  let told = false;
  let wake = (): void => {};
  return {
    tell() {
      told = true;
      wake();
    },
    async come() {
      if (!told)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      told = false;
    },
  };
}
