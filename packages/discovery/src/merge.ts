import {
  type Discovery,
  type Endpoint,
  GatewayError,
  notify,
  type Observer,
  type WatchOptions,
} from "@gw/interface";
import { sameSet, union } from "./sets.js";

/** Options of {@link merge}. */
export interface MergeOptions {
  /** Is told (`lookupFailed`) what a source throws. */
  readonly observer?: Observer | undefined;
}

/**
 * The union of several sources. A set is yielded as soon as one source has one, and again whenever any of them
 * changes. Where sources disagree about an endpoint, the one named first holds.
 *
 * A source that throws does not end the others: the observer is told, its last set holds, and it is watched
 * anew when a refresh is asked for. The iteration ends when all sources have ended.
 */
export function merge(sources: readonly Discovery[], { observer }: MergeOptions = {}): Discovery {
  return { watch: request => watchAll(sources, observer, request) };
}

async function* watchAll(
  sources: readonly Discovery[],
  observer: Observer | undefined,
  { signal, onRefresh }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop.abort();
  const request = { signal: stop.signal, onRefresh };
  const sets: (readonly Endpoint[])[] = sources.map(() => []);
  const followed = sources.map(source => follow(source, observer, request));
  const step = async (index: number): Promise<Step> => ({
    index,
    result: (await followed[index]?.next()) ?? { done: true, value: undefined },
  });
  const pending = new Map(sources.map((_, index) => [index, step(index)]));
  let known: readonly Endpoint[] | undefined;
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(index);
        continue;
      }
      pending.set(index, step(index));
      sets[index] = result.value;
      const all = union(sets);
      if (known && sameSet(known, all)) continue;
      known = all;
      yield all;
    }
  } finally {
    stop.abort();
    signal.removeEventListener("abort", onAbort);
    await Promise.allSettled(pending.values());
  }
}

interface Step {
  readonly index: number;
  readonly result: IteratorResult<readonly Endpoint[], void>;
}

/** One source, again and again: when it throws, it is begun anew at the next refresh. */
async function* follow(
  source: Discovery,
  observer: Observer | undefined,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  while (!request.signal.aborted) {
    try {
      return yield* source.watch(request);
    } catch (cause) {
      const error = GatewayError.from(cause, "discovery");
      notify(observer, "lookupFailed", { source: "merge", error });
      await refreshed(request);
    }
  }
}

function refreshed({ signal, onRefresh }: WatchOptions): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      unsubscribe?.();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const unsubscribe = onRefresh?.(done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
