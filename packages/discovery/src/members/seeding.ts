import type { Discovery, Endpoint, WatchOptions } from "@gw/interface";
import { sameSet } from "../endpoint-sets.js";
import { triggerable } from "../refresh.js";
import { settleTogether, watchSettling } from "../settling.js";

/** What a source that starts from seeds uses to read them, and to replace them. */
export interface Seeding {
  /** The current seeds; waits for the first set. */
  seeds(): Promise<readonly Endpoint[]>;
  /** Yields these from now on; `undefined` returns to the seeds. */
  use(endpoints: readonly Endpoint[] | undefined): void;
}

/**
 * Yields the seeds until `known` calls {@link Seeding.use}. Runs both concurrently, has `known` refresh when the seeds
 * change, and throws what either throws.
 */
export async function* withSeeds(
  seeds: Discovery,
  known: (seeding: Seeding) => Discovery,
  { signal, onRefresh, onSettled }: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const refresh = triggerable(onRefresh);
  const [seedsSettled, knownSettled] = settleTogether(2, onSettled);
  let begin = (): void => {};
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });
  let wake = (): void => {};
  let offered: readonly Endpoint[] | undefined;
  let better: readonly Endpoint[] | undefined;
  let failure: { readonly error: unknown } | undefined;

  const followSeeds = async (): Promise<void> => {
    for await (const set of watchSettling(seeds, {
      signal: stop.signal,
      onRefresh,
      onSettled: seedsSettled,
    })) {
      const isFirst = offered === undefined;
      offered = set;
      if (isFirst) begin();
      else refresh.trigger();
      wake();
    }
    // Without seeds there is no server to ask, ever.
    if (!offered) end();
  };
  const seeding: Seeding = {
    async seeds() {
      await begun;
      return offered ?? [];
    },
    use(endpoints) {
      better = endpoints && Object.freeze([...endpoints]);
      wake();
    },
  };
  const followKnown = async (): Promise<void> => {
    const request = { signal: stop.signal, onRefresh: refresh.onRefresh, onSettled: knownSettled };
    for await (const _ of known(seeding).watch(request));
  };
  const run = async (follow: () => Promise<void>): Promise<void> => {
    try {
      await follow();
    } catch (error) {
      failure ??= { error };
      end();
    }
  };
  stop.signal.addEventListener("abort", () => {
    begin();
    wake();
  });
  if (stop.signal.aborted) begin();
  const running = [run(followSeeds), run(followKnown)];
  try {
    for (let last: readonly Endpoint[] | undefined; ; ) {
      const current = better ?? offered;
      if (stop.signal.aborted) break;
      if (current && !(last && sameSet(last, current))) {
        last = current;
        yield current;
      } else {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    }
    if (failure && !signal.aborted) throw failure.error;
  } finally {
    end();
    signal.removeEventListener("abort", end);
    await Promise.all(running);
  }
}
