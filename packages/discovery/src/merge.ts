import {
  type Discovery,
  type Endpoint,
  GatewayError,
  notify,
  type Observer,
  type WatchOptions,
} from "@gw/interface";
import { sameSet, union } from "./endpoint-sets.js";
import { settleTogether, watchSettling } from "./settling.js";

/** Options of {@link merge}. */
export interface MergeOptions {
  /** Notified (`discoveryFailed`) of what a source throws. */
  readonly observer?: Observer | undefined;
}

/**
 * The union of several sources. A set is yielded as soon as one source has one, and again whenever any of them
 * changes. Where sources disagree about an endpoint, the first of them counts.
 *
 * A source that throws does not end the others: the observer is notified, its last set stays, and it is watched again
 * when a refresh is requested. The iteration ends when all sources have ended.
 *
 * It is settled (`onSettled`) when all sources are, at once with an error of the configuration's. A source that
 * does not report it is settled with its first set, or its end.
 */
export function merge(sources: readonly Discovery[], { observer }: MergeOptions = {}): Discovery {
  return { watch: request => watchAll(sources, observer, request) };
}

async function* watchAll(
  sources: readonly Discovery[],
  observer: Observer | undefined,
  { signal, onRefresh, onSettled }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop.abort();
  const settled = settleTogether(sources.length, onSettled);
  const sets: (readonly Endpoint[])[] = sources.map(() => []);
  const arrivals = createArrivals(
    sources.map((source, index) =>
      follow(source, observer, { signal: stop.signal, onRefresh, onSettled: settled[index] }),
    ),
  );
  let known: readonly Endpoint[] | undefined;
  try {
    for (let arrival = await arrivals.next(); arrival; arrival = await arrivals.next()) {
      sets[arrival.index] = arrival.set;
      const all = union(sets);
      if (known && sameSet(known, all)) continue;
      known = all;
      yield all;
    }
  } finally {
    stop.abort();
    signal.removeEventListener("abort", onAbort);
    await arrivals.ended();
  }
}

/** A new set of the source at `index`. */
interface Arrival {
  readonly index: number;
  readonly set: readonly Endpoint[];
}

/**
 * The sets of several sources in the order of their arrival. Of each source, at most one set is pending.
 *
 * A `Promise.race` for each set would add a reaction to the pending promise of each quiet source, and so leak memory.
 */
function createArrivals(sources: readonly AsyncIterator<readonly Endpoint[], void>[]): {
  /** Undefined when all sources have ended. Rejects when a source rejects. */
  next(): Promise<Arrival | undefined>;
  /** Resolves when no `next` of a source is running. */
  ended(): Promise<unknown>;
} {
  const arrived: (Arrival | { readonly index: number; readonly error: unknown })[] = [];
  let open = sources.length;
  let wake = (): void => {};
  const running: Promise<void>[] = [];
  const request = (index: number): void => {
    running[index] = (sources[index] as AsyncIterator<readonly Endpoint[], void>).next().then(
      ({ done, value }) => {
        if (done) open -= 1;
        else arrived.push({ index, set: value });
        wake();
      },
      (error: unknown) => {
        open -= 1;
        arrived.push({ index, error });
        wake();
      },
    );
  };
  for (const index of sources.keys()) request(index);
  return {
    async next() {
      while (arrived.length === 0 && open > 0)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      const arrival = arrived.shift();
      if (arrival && "error" in arrival) throw arrival.error;
      if (arrival) request(arrival.index);
      return arrival;
    },
    ended: () => Promise.all(running),
  };
}

/** Watches one source; after it has thrown, again at the next refresh. */
async function* follow(
  source: Discovery,
  observer: Observer | undefined,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  while (!request.signal.aborted) {
    try {
      return yield* watchSettling(source, request);
    } catch (cause) {
      const error = GatewayError.from(cause, "discovery");
      notify(observer, "discoveryFailed", { source: "merge", error });
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
