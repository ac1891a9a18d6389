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
  /** Is told (`discoveryFailed`) what a source throws. */
  readonly observer?: Observer | undefined;
}

/**
 * The union of several sources. A set is yielded as soon as one source has one, and again whenever any of them
 * changes. Where sources disagree about an endpoint, the one named first holds.
 *
 * A source that throws does not end the others: the observer is told, its last set holds, and it is watched
 * anew when a refresh is asked for. The iteration ends when all sources have ended.
 *
 * It is settled (`onSettled`) when all sources are, at once with an error of the configuration's. A source that does not
 * say so is settled with its first set, or its end.
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
  const steps = createSteps(
    sources.map((source, index) =>
      follow(source, observer, { signal: stop.signal, onRefresh, onSettled: settled[index] }),
    ),
  );
  let known: readonly Endpoint[] | undefined;
  try {
    for (let step = await steps.next(); step; step = await steps.next()) {
      sets[step.index] = step.set;
      const all = union(sets);
      if (known && sameSet(known, all)) continue;
      known = all;
      yield all;
    }
  } finally {
    stop.abort();
    signal.removeEventListener("abort", onAbort);
    await steps.ended();
  }
}

/** A new set of the source at `index`. */
interface Step {
  readonly index: number;
  readonly set: readonly Endpoint[];
}

/**
 * The sets of several sources in the order in which they come. Of each source at most one set waits to be taken.
 *
 * To race the sources anew for each set would leave something on the promise of each that is quiet, for as long as it is.
 */
function createSteps(sources: readonly AsyncIterator<readonly Endpoint[], void>[]): {
  /** Undefined when all sources have ended. Rejects when one does. */
  next(): Promise<Step | undefined>;
  /** Resolves when nothing is asked of a source any more. */
  ended(): Promise<unknown>;
} {
  const arrived: (Step | { readonly index: number; readonly error: unknown })[] = [];
  let open = sources.length;
  let wake = (): void => {};
  const asked: Promise<void>[] = [];
  const ask = (index: number): void => {
    asked[index] = (sources[index] as AsyncIterator<readonly Endpoint[], void>).next().then(
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
  for (const index of sources.keys()) ask(index);
  return {
    async next() {
      while (arrived.length === 0 && open > 0)
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      const step = arrived.shift();
      if (step && "error" in step) throw step.error;
      if (step) ask(step.index);
      return step;
    },
    ended: () => Promise.all(asked),
  };
}

/** One source, again and again: when it throws, it is begun anew at the next refresh. */
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
