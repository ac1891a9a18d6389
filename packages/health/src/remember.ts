import type { Clock } from "@gw/interface";

/** Something of each endpoint, by name, for as long as it is asked for now and then. */
export interface Remembered<Thing> {
  /** That of `name`; made when there is none. */
  of(name: string): Thing;
  forget(name: string): void;
  forgetAll(): void;
}

/** How long things are remembered, and what becomes of them. */
export interface RememberOptions<Thing> {
  /**
   * What was not asked for during this time is forgotten when something else is, in milliseconds. More than the time
   * for which an endpoint that is down is left alone, so that it is judged by what was known of it. @default 3600000
   */
  readonly idleMs?: number;
  /** Called with everything that is forgotten. */
  readonly end?: (thing: Thing) => void;
}

export function remember<Thing>(
  clock: Clock,
  make: (name: string) => Thing,
  { idleMs = 3_600_000, end = () => {} }: RememberOptions<Thing> = {},
): Remembered<Thing> {
  /** What was asked for last stands at the end. */
  const known = new Map<string, { readonly thing: Thing; usedAt: number }>();
  const forget = (name: string): void => {
    const entry = known.get(name);
    known.delete(name);
    if (entry) end(entry.thing);
  };
  return {
    of(name) {
      const now = clock.now();
      for (const [oldest, { usedAt }] of known) {
        if (now - usedAt <= idleMs) break;
        forget(oldest);
      }
      const entry = known.get(name) ?? { thing: make(name), usedAt: now };
      entry.usedAt = now;
      known.delete(name);
      known.set(name, entry);
      return entry.thing;
    },
    forget,
    forgetAll() {
      for (const name of [...known.keys()]) forget(name);
    },
  };
}
