import { type Clock, type Endpoint, type EndpointStatus, formatAddress } from "@gw/interface";
import { beginWatch, byPriority, type Cadence, dueAt, isWatched, nearest, type Watch } from "./cadence.js";

/** The watches on all endpoints that are looked at. */
export interface Watches extends Iterable<Watch> {
  of(endpoint: Endpoint): Watch | undefined;
  /** When to look at it next. */
  dueAt(watch: Watch): number;
  /** All but `watch`, the best priority first. */
  others(watch: Watch): readonly Watch[];
  /** Takes over what a pool has. A watch on what is looked at no longer ends. */
  compare(statuses: readonly EndpointStatus[]): void;
  /** Ends all. */
  end(): void;
}

export function createWatches(cadence: Cadence, clock: Clock, random: () => number): Watches {
  const watches = new Map<string, Watch>();
  let near: ReadonlySet<string> = new Set();
  const endAllBut = (names: { has(name: string): boolean }): void => {
    for (const [name, { ending }] of watches)
      if (!names.has(name)) {
        watches.delete(name);
        ending.abort();
      }
  };
  return {
    [Symbol.iterator]: () => watches.values(),
    of: endpoint => watches.get(formatAddress(endpoint)),
    dueAt: watch => dueAt(watch, near.has(formatAddress(watch.endpoint)), cadence),
    others: watch => byPriority([...watches.values()].filter(other => other !== watch)),
    compare(statuses) {
      const all = statuses.filter(isWatched);
      const watched = new Map(all.map(status => [formatAddress(status.endpoint), status]));
      near = nearest(all);
      endAllBut(watched);
      for (const [name, { endpoint, state }] of watched) {
        // Not all at once, when there are many; but what matters soon.
        const withinMs = near.has(name) ? cadence.fastMs : cadence.intervalMs;
        const watch = watches.get(name) ?? beginWatch(endpoint, clock.now() + random() * withinMs);
        watches.set(name, Object.assign(watch, { endpoint, up: state === "up" }));
      }
    },
    end: () => endAllBut(new Set()),
  };
}
