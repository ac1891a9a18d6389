import type { Clock } from "./clock.js";

/** One entry for each name, for as long as it is used now and then. */
export interface ExpiringMap<Value> {
  /** The value of `name`; created if there is none. */
  get(name: string): Value;
  delete(name: string): void;
  clear(): void;
}

/** Options of {@link createExpiringMap}. */
export interface ExpiringMapOptions<Value> {
  /**
   * An entry that was not used for this time is deleted when another one is used, in milliseconds. The default is longer
   * than an endpoint that is down stays untried, so that what is known of it outlasts that. @default 3600000
   */
  readonly idleMs?: number | undefined;
  /** Called with each value that is deleted. */
  readonly onDelete?: ((value: Value) => void) | undefined;
}

/** A map that creates its entries and deletes those that are idle, so that memory stays bounded without a timer. */
export function createExpiringMap<Value>(
  clock: Clock,
  create: (name: string) => Value,
  { idleMs = 3_600_000, onDelete }: ExpiringMapOptions<Value> = {},
): ExpiringMap<Value> {
  /** In the order of their last use. */
  const entries = new Map<string, { readonly value: Value; usedAt: number }>();
  const remove = (name: string): void => {
    const entry = entries.get(name);
    entries.delete(name);
    if (entry) onDelete?.(entry.value);
  };
  return {
    get(name) {
      const now = clock.now();
      for (const [oldest, { usedAt }] of entries) {
        if (now - usedAt <= idleMs) break;
        remove(oldest);
      }
      const entry = entries.get(name) ?? { value: create(name), usedAt: now };
      entry.usedAt = now;
      entries.delete(name);
      entries.set(name, entry);
      return entry.value;
    },
    delete: remove,
    clear() {
      for (const name of [...entries.keys()]) remove(name);
    },
  };
}
