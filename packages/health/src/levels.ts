import { createReportOnce, type Endpoint, formatAddress, type Verdict } from "@gw/interface";
import { type HealthObserver, tell } from "./health-observer.js";

/** Reports which check is made of each endpoint: at first, and again when it has changed. */
export interface Levels {
  say(endpoint: Endpoint, verdict: Verdict): void;
  /** Forgets all other endpoints. */
  keep(endpoints: readonly Endpoint[]): void;
}

export function createLevels(observer: HealthObserver | undefined): Levels {
  const reported = createReportOnce();
  return {
    say(endpoint, { check, note }) {
      if (!reported.isNew(formatAddress(endpoint), `${check} ${note ?? ""}`)) return;
      tell(observer, "checkTypeChanged", { endpoint, check, ...(note !== undefined && { note }) });
    },
    keep: endpoints => reported.retain(endpoints.map(formatAddress)),
  };
}
