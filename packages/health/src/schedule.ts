import { type Clock, type Endpoint, type EndpointStatus, formatAddress } from "@gw/interface";
import {
  type Cadence,
  createWatch,
  dueAt,
  isWatched,
  maxConcurrent,
  nextBest,
  urgencyOf,
  type Watch,
} from "./cadence.js";
import { DueHeap } from "./due-heap.js";

/** Which endpoint is checked when: the state of all that are checked, by the time and urgency of their next check. */
export interface Schedule {
  of(endpoint: Endpoint): Watch | undefined;
  /** To be called when a check has begun or is over, or when the time of the next one has changed. */
  update(watch: Watch): void;
  /** The next endpoint to check now, of those without a check under way. */
  dueBy(now: number): Watch | undefined;
  /** When the next check is due that could be made now; Infinity if none could. */
  readonly nextDue: number;
  /** Whether one more check could be made now. */
  readonly hasRoom: boolean;
  /** A few others, the best priority first, and the one that was last healthy. */
  others(watch: Watch): readonly Watch[];
  /** Adopts the endpoints of a pool. The checks of those that are gone are aborted. */
  adopt(statuses: readonly EndpointStatus[]): void;
  /** Aborts all checks. */
  end(): void;
}

/** How many others are checked when one fails: etcd advises at most seven members. */
const maxOthers = 6;

export function createSchedule(cadence: Cadence, clock: Clock, random: () => number): Schedule {
  const watches = new Map<string, Watch>();
  /** Those without a check under way, by urgency. */
  const heaps = maxConcurrent.map(() => new DueHeap<Watch>());
  const running = new Set<Watch>();
  let front: readonly Watch[] = [];
  let lastHealthy: Watch | undefined;

  const unqueue = (watch: Watch): void => {
    if (watch.place >= 0) heaps[watch.urgency]?.delete(watch);
  };
  const update = (watch: Watch): void => {
    if (watch.running !== undefined) running.add(watch);
    else running.delete(watch);
    if (watch.failures === 0 && watch.healthyAt > (lastHealthy?.healthyAt ?? -Infinity)) lastHealthy = watch;
    const due = dueAt(watch, cadence);
    const urgency = urgencyOf(watch);
    if (watch.running === undefined && watch.place >= 0 && watch.due === due && watch.urgency === urgency)
      return;
    unqueue(watch);
    if (watch.running !== undefined || watch.ending.signal.aborted) return;
    watch.urgency = urgency;
    heaps[urgency]?.add(watch, due);
  };
  const endAllBut = (names: { has(name: string): boolean }): void => {
    for (const [name, watch] of watches)
      if (!names.has(name)) {
        watches.delete(name);
        unqueue(watch);
        if (watch === lastHealthy) lastHealthy = undefined;
        watch.ending.abort();
      }
  };
  return {
    of: endpoint => watches.get(formatAddress(endpoint)),
    update,
    dueBy(now) {
      for (const [urgency, heap] of heaps.entries())
        if (heap.first && heap.first.due <= now && running.size < (maxConcurrent[urgency] ?? 0))
          return heap.first;
      return undefined;
    },
    get hasRoom() {
      return running.size < Math.max(...maxConcurrent);
    },
    get nextDue() {
      const first = heaps.map(({ first }, urgency) =>
        running.size < (maxConcurrent[urgency] ?? 0) ? (first?.due ?? Infinity) : Infinity,
      );
      return Math.min(...first);
    },
    others(watch) {
      const others = front
        .filter(other => other !== watch && !other.ending.signal.aborted)
        .slice(0, maxOthers);
      return lastHealthy && lastHealthy !== watch && !others.includes(lastHealthy)
        ? [...others, lastHealthy]
        : others;
    },
    adopt(statuses) {
      const all = statuses.filter(isWatched);
      const watched = new Map(all.map(status => [nameOf(status.endpoint), status]));
      const next = nextBest(all);
      endAllBut(watched);
      for (const [name, status] of watched) {
        const { endpoint, state, inUse } = status;
        const near = state === "down" || inUse || status === next;
        // Spread out, as there may be many; but soon for those that matter.
        const withinMs = near ? cadence.fastMs : cadence.intervalMs;
        const watch = watches.get(name) ?? createWatch(endpoint, clock.now() + random() * withinMs);
        const isNext = state === "up" && near;
        watches.set(name, Object.assign(watch, { endpoint, up: state === "up", near, next: isNext }));
        update(watch);
      }
      front = firstOf(watches.values(), maxOthers + 1);
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

/** By endpoint: a pool returns the same objects each time. */
const names = new WeakMap<Endpoint, string>();

function nameOf(endpoint: Endpoint): string {
  const known = names.get(endpoint);
  if (known !== undefined) return known;
  const name = formatAddress(endpoint);
  names.set(endpoint, name);
  return name;
}
