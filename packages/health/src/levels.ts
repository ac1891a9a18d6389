import { type Endpoint, formatAddress, type Verdict } from "@gw/interface";
import { type HealthObserver, tell } from "./health-observer.js";

/** Tells how deep endpoints are looked at: once for each endpoint, and again when it has changed. */
export interface Levels {
  say(endpoint: Endpoint, verdict: Verdict): void;
  /** Forgets what was said of any other endpoint. */
  keep(endpoints: readonly Endpoint[]): void;
}

export function createLevels(observer: HealthObserver | undefined): Levels {
  const said = new Map<string, string>();
  return {
    say(endpoint, { level, note }) {
      const name = formatAddress(endpoint);
      const what = `${level} ${note ?? ""}`;
      if (said.get(name) === what) return;
      said.set(name, what);
      tell(observer, "healthLevel", { endpoint, level, ...(note !== undefined && { note }) });
    },
    keep(endpoints) {
      const names = new Set(endpoints.map(formatAddress));
      for (const name of said.keys()) if (!names.has(name)) said.delete(name);
    },
  };
}
