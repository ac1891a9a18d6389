import { createReportOnce, type Endpoint, formatAddress, messageOf, type Verdict } from "@gw/interface";

/** Observes health checks, and changes nothing. */
export interface HealthObserver {
  /** A check of an endpoint is over; it took `tookMs`. */
  checked?(event: { readonly endpoint: Endpoint; readonly verdict: Verdict; readonly tookMs: number }): void;
  /**
   * A healthy endpoint is checked by `check` from now on, for the reason that `note` gives, if any. Called at first, and
   * when it has changed.
   */
  checkTypeChanged?(event: {
    readonly endpoint: Endpoint;
    readonly check: string;
    readonly note?: string;
  }): void;
}

/** Calls one method. An exception becomes a process warning. */
export function notifyHealth<Name extends keyof HealthObserver>(
  observer: HealthObserver | undefined,
  name: Name,
  event: Parameters<NonNullable<HealthObserver[Name]>>[0],
): void {
  try {
    (observer?.[name] as ((event: unknown) => void) | undefined)?.call(observer, event);
  } catch (error) {
    process.emitWarning(`gw: the observer's ${name} threw: ${messageOf(error)}`);
  }
}

/** Reports which check is made of each endpoint. */
export interface CheckTypes {
  report(endpoint: Endpoint, verdict: Verdict): void;
  /** Forgets all other endpoints. */
  retain(endpoints: readonly Endpoint[]): void;
}

export function createCheckTypes(observer: HealthObserver | undefined): CheckTypes {
  const reported = createReportOnce();
  return {
    report(endpoint, { check, note }) {
      if (!reported.isNew(formatAddress(endpoint), `${check} ${note ?? ""}`)) return;
      notifyHealth(observer, "checkTypeChanged", { endpoint, check, ...(note !== undefined && { note }) });
    },
    retain: endpoints => reported.retain(endpoints.map(formatAddress)),
  };
}
