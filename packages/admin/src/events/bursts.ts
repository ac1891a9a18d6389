/** Events of one kind for many endpoints at once: the first are items of their own, the others join one item. */
const burstLimits = {
  /** Different endpoints within {@link burstLimits.withinMs} that have items of their own. */
  endpoints: 20,
  /** In milliseconds. */
  withinMs: 10_000,
  /** How long events join the same item, in milliseconds; then a new one begins. */
  groupMs: 60_000,
  /** Different endpoints that one item counts; then a new one begins. */
  counted: 10_000,
} as const;
/** How many endpoints the data of an item names. */
export const groupNames: number = 20;

/** The events that have joined one item. */
export interface Group<Item> {
  /** Absent until the first has been recorded. */
  item: Item | undefined;
  readonly beganMs: number;
  /** In the order in which they joined. */
  readonly endpoints: Set<string>;
}

interface Burst<Item> {
  /** When each of the newest endpoints had its newest event; the oldest first, at most one more than the limit. */
  readonly recent: Map<string, number>;
  group: Group<Item> | undefined;
}

/** Finds out which events come for many endpoints at once. */
export class Bursts<Item> {
  /** By kind; kinds are a fixed few. */
  readonly #bursts = new Map<unknown, Burst<Item>>();

  /**
   * Counts an event.
   *
   * @param isKept whether an item is still there to be joined
   * @returns what it joins; undefined if it is an item of its own
   */
  join(
    kind: unknown,
    endpoint: string,
    now: number,
    isKept: (item: Item) => boolean,
  ): Group<Item> | undefined {
    const burst = this.#bursts.get(kind) ?? { recent: new Map<string, number>(), group: undefined };
    this.#bursts.set(kind, burst);
    const { recent } = burst;
    recent.delete(endpoint);
    recent.set(endpoint, now);
    for (const [oldest, atMs] of recent) {
      if (now - atMs <= burstLimits.withinMs && recent.size <= burstLimits.endpoints + 1) break;
      recent.delete(oldest);
    }
    if (recent.size <= burstLimits.endpoints) {
      burst.group = undefined;
      return undefined;
    }
    if (burst.group && !isOpen(burst.group, now, isKept)) burst.group = undefined;
    burst.group ??= { item: undefined, beganMs: now, endpoints: new Set() };
    burst.group.endpoints.add(endpoint);
    return burst.group;
  }
}

/** The data of the item of a group; `grouped` tells it from an event about one endpoint. */
export function groupData({ endpoints }: Group<unknown>): { readonly [field: string]: unknown } {
  const named: string[] = [];
  for (const endpoint of endpoints) {
    if (named.length >= groupNames) break;
    named.push(endpoint);
  }
  return { grouped: true, endpoints: named, count: endpoints.size };
}

function isOpen<Item>(
  { item, beganMs, endpoints }: Group<Item>,
  now: number,
  isKept: (item: Item) => boolean,
): boolean {
  return (
    now - beganMs < burstLimits.groupMs &&
    endpoints.size < burstLimits.counted &&
    (item === undefined || isKept(item))
  );
}
