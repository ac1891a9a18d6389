import type { Clock } from "./clock.js";

/** Reports each state of each key once: not again until it has changed or was forgotten. Holds one entry per key. */
export interface ReportOnce {
  /** Whether `state` of `key` is new, and is to be reported. */
  isNew(key: string, state: string): boolean;
  /** Forgets all other keys; to be called with the keys that can still occur, so that memory stays bounded. */
  retain(keys: Iterable<string>): void;
}

export function createReportOnce(): ReportOnce {
  const reported = new Map<string, string>();
  return {
    isNew(key, state) {
      if (reported.get(key) === state) return false;
      reported.set(key, state);
      return true;
    },
    retain(keys) {
      const kept = new Set(keys);
      for (const key of reported.keys()) if (!kept.has(key)) reported.delete(key);
    },
  };
}

/** One thing that works or fails, such as a source of endpoints. Times are in milliseconds. */
export interface Outage {
  /**
   * It failed for the reason `detail`.
   *
   * @returns what to report, or `undefined` if the same was reported before. `ageMs`: how long ago it last worked, absent
   *   if it never did
   */
  failed(detail: string): { readonly ageMs?: number } | undefined;
  /** It works. Returns what to report, for how long it had failed; `undefined` if it had not. */
  succeeded(): { readonly failedMs: number } | undefined;
}

/** Tracks failures and recoveries, so that each is reported once. */
export function createOutage(clock: Clock): Outage {
  let lastGood: number | undefined;
  let failing: { readonly since: number; readonly detail: string } | undefined;
  return {
    failed(detail) {
      const isNew = failing?.detail !== detail;
      failing = { since: failing?.since ?? clock.now(), detail };
      if (!isNew) return undefined;
      return lastGood === undefined ? {} : { ageMs: clock.now() - lastGood };
    },
    succeeded() {
      lastGood = clock.now();
      const ended = failing && { failedMs: lastGood - failing.since };
      failing = undefined;
      return ended;
    },
  };
}
