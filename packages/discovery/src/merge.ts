import type { Discovery, Endpoint, WatchOptions } from "@gw/interface";
import { sameSet, union } from "./sets.js";

/**
 * The union of several sources. A set is yielded as soon as one source has one, and again whenever any of them
 * changes. Where sources disagree about an endpoint, the one named first holds.
 *
 * It ends when all sources have ended, and throws what a source throws, the others ended.
 */
export function merge(...sources: readonly Discovery[]): Discovery {
  return { watch: request => watchAll(sources, request) };
}

async function* watchAll(
  sources: readonly Discovery[],
  { signal, onRefresh }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) stop.abort();
  const iterators = sources.map(source =>
    source.watch({ signal: stop.signal, onRefresh })[Symbol.asyncIterator](),
  );
  const sets: (readonly Endpoint[])[] = sources.map(() => []);
  let known: readonly Endpoint[] | undefined;
  const next = (index: number): Promise<Step> => step(iterators, index);
  const pending = new Map(iterators.map((_, index) => [index, next(index)]));
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(index);
        continue;
      }
      pending.set(index, next(index));
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
  readonly result: IteratorResult<readonly Endpoint[]>;
}

async function step(iterators: readonly AsyncIterator<readonly Endpoint[]>[], index: number): Promise<Step> {
  return { index, result: (await iterators[index]?.next()) ?? { done: true, value: undefined } };
}
