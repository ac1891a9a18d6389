import {
  type CheckDepth,
  createReportOnce,
  type Endpoint,
  formatAddress,
  type HealthObserver,
  messageOf,
  type Verdict,
} from "@gw/interface";

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
  report(endpoint: Endpoint, verdict: Verdict, depth: CheckDepth): void;
  /** Forgets all other endpoints. */
  retain(endpoints: readonly Endpoint[]): void;
}

export function createCheckTypes(observer: HealthObserver | undefined): CheckTypes {
  const reported = { regular: createReportOnce(), deep: createReportOnce() };
  return {
    report(endpoint, { check, note }, depth) {
      const isNew = reported[depth].isNew(formatAddress(endpoint), `${check} ${note ?? ""}`);
      if (!isNew || (depth === "deep" && note === undefined)) return;
      notifyHealth(observer, "checkTypeChanged", { endpoint, check, ...(note !== undefined && { note }) });
    },
    retain(endpoints) {
      const names = endpoints.map(formatAddress);
      for (const each of Object.values(reported)) each.retain(names);
    },
  };
}
