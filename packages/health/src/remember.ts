import type { Clock } from "@gw/interface";

/** Something of each endpoint, by name, for as long as it is asked for now and then. */
export interface Remembered<Thing> {
  /** That of `name`; made when there is none. */
  of(name: string): Thing;
  forget(name: string): void;
  forgetAll(): void;
}

/** What was not asked for during this time is forgotten when something else is, in milliseconds. */
const idleMs = 180_000;

/** @param end is called with everything that is forgotten */
export function remember<Thing>(
  clock: Clock,
  make: (name: string) => Thing,
  end: (thing: Thing) => void = () => {},
): Remembered<Thing> {
  const known = new Map<string, { readonly thing: Thing; usedAt: number }>();
  const forget = (name: string): void => {
    const entry = known.get(name);
    known.delete(name);
    if (entry) end(entry.thing);
  };
  return {
    of(name) {
      const now = clock.now();
      for (const [other, { usedAt }] of known) if (now - usedAt > idleMs) forget(other);
      const entry = known.get(name) ?? { thing: make(name), usedAt: now };
      entry.usedAt = now;
      known.set(name, entry);
      return entry.thing;
    },
    forget,
    forgetAll() {
      for (const name of [...known.keys()]) forget(name);
    },
  };
}
