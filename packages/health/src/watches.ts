import { type Clock, type Endpoint, type EndpointStatus, formatAddress } from "@gw/interface";
import {
  beginWatch,
  type Cadence,
  dueAt,
  isWatched,
  mostAtOnce,
  nextBest,
  urgencyOf,
  type Watch,
} from "./cadence.js";
import { DueHeap } from "./due-heap.js";

/** The watches on all endpoints that are looked at. */
export interface Watches {
  of(endpoint: Endpoint): Watch | undefined;
  /** To be called when a look at `watch` has begun or is over, or when it is due has changed. */
  changed(watch: Watch): void;
  /** The next one to look at now, of those at which no look is under way. */
  dueBy(now: number): Watch | undefined;
  /** When the next look is due that could be made now; Infinity if none could. */
  readonly nextDue: number;
  /** Whether one more look could be made now. */
  readonly hasRoom: boolean;
  /** A few others, the best priority first, and the one that was last well. */
  others(watch: Watch): readonly Watch[];
  /** Takes over what a pool has. A watch on what is looked at no longer ends. */
  compare(statuses: readonly EndpointStatus[]): void;
  /** Ends all. */
  end(): void;
}

/** How many others are looked at when one fails: etcd advises at most seven members. */
const mostOthers = 6;

export function createWatches(cadence: Cadence, clock: Clock, random: () => number): Watches {
  const watches = new Map<string, Watch>();
  /** Those at which no look is under way, by urgency. */
  const heaps = mostAtOnce.map(() => new DueHeap<Watch>());
  const running = new Set<Watch>();
  let front: readonly Watch[] = [];
  let lastWell: Watch | undefined;

  const leave = (watch: Watch): void => {
    if (watch.place >= 0) heaps[watch.urgency]?.delete(watch);
  };
  const changed = (watch: Watch): void => {
    if (watch.running !== undefined) running.add(watch);
    else running.delete(watch);
    if (watch.failures === 0 && watch.wellAt > (lastWell?.wellAt ?? -Infinity)) lastWell = watch;
    const due = dueAt(watch, cadence);
    const urgency = urgencyOf(watch);
    if (watch.running === undefined && watch.place >= 0 && watch.due === due && watch.urgency === urgency)
      return;
    leave(watch);
    if (watch.running !== undefined || watch.ending.signal.aborted) return;
    watch.urgency = urgency;
    heaps[urgency]?.add(watch, due);
  };
  const endAllBut = (names: { has(name: string): boolean }): void => {
    for (const [name, watch] of watches)
      if (!names.has(name)) {
        watches.delete(name);
        leave(watch);
        if (watch === lastWell) lastWell = undefined;
        watch.ending.abort();
      }
  };
  return {
    of: endpoint => watches.get(formatAddress(endpoint)),
    changed,
    dueBy(now) {
      for (const [urgency, heap] of heaps.entries())
        if (heap.first && heap.first.due <= now && running.size < (mostAtOnce[urgency] ?? 0))
          return heap.first;
      return undefined;
    },
    get hasRoom() {
      return running.size < Math.max(...mostAtOnce);
    },
    get nextDue() {
      const first = heaps.map(({ first }, urgency) =>
        running.size < (mostAtOnce[urgency] ?? 0) ? (first?.due ?? Infinity) : Infinity,
      );
      return Math.min(...first);
    },
    others(watch) {
      const others = front
        .filter(other => other !== watch && !other.ending.signal.aborted)
        .slice(0, mostOthers);
      return lastWell && lastWell !== watch && !others.includes(lastWell) ? [...others, lastWell] : others;
    },
    compare(statuses) {
      const all = statuses.filter(isWatched);
      const watched = new Map(all.map(status => [nameOf(status.endpoint), status]));
      const next = nextBest(all);
      endAllBut(watched);
      for (const [name, status] of watched) {
        const { endpoint, state, inUse } = status;
        const near = state === "down" || inUse || status === next;
        // Not all at once, when there are many; but what matters soon.
        const withinMs = near ? cadence.fastMs : cadence.intervalMs;
        const watch = watches.get(name) ?? beginWatch(endpoint, clock.now() + random() * withinMs);
        const isNext = state === "up" && near;
        watches.set(name, Object.assign(watch, { endpoint, up: state === "up", near, next: isNext }));
        changed(watch);
      }
      front = firstOf(watches.values(), mostOthers + 1);
    },
    end: () => endAllBut(new Set()),
  };
}

/** The first `count`, the best priority first, else in the order given. */
function firstOf(watches: Iterable<Watch>, count: number): readonly Watch[] {
  const byPriority = new Map<number, Watch[]>();
  for (const watch of watches) {
    const { priority } = watch.endpoint;
    const some = byPriority.get(priority);
    if (!some) byPriority.set(priority, [watch]);
    else if (some.length < count) some.push(watch);
  }
  const priorities = [...byPriority.keys()].sort((one, other) => one - other);
  const first: Watch[] = [];
  for (const priority of priorities) {
    if (first.length >= count) break;
    first.push(...(byPriority.get(priority) ?? []));
  }
  return first.slice(0, count);
}

/** A pool hands out the same endpoints again and again. */
const names = new WeakMap<Endpoint, string>();

function nameOf(endpoint: Endpoint): string {
  const known = names.get(endpoint);
  if (known !== undefined) return known;
  const name = formatAddress(endpoint);
  names.set(endpoint, name);
  return name;
}
