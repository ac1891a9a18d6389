import {
  type CheckDepth,
  createReportOnce,
  type Endpoint,
  formatAddress,
  messageOf,
  type Verdict,
} from "@gw/interface";
import type { ForeignEndpoint, IdentityReason } from "./identity/decision.js";

/** Observes health checks, and changes nothing. */
export interface HealthObserver {
  /** A check of an endpoint is over; it took `tookMs`. A deep one may follow a regular one at once. */
  checked?(event: {
    readonly endpoint: Endpoint;
    readonly verdict: Verdict;
    readonly depth: CheckDepth;
    readonly tookMs: number;
  }): void;
  /**
   * A healthy endpoint is checked by `check` from now on, for the reason that `note` gives, if any. Called at first, and
   * when it has changed; for deep checks only if there is a note.
   */
  checkTypeChanged?(event: {
    readonly endpoint: Endpoint;
    readonly check: string;
    readonly note?: string;
  }): void;
  /**
   * The cluster whose members are used is known: `members` of the set have told its id, and `foreign` ones another. Called
   * at first, and when another cluster is accepted instead of `from`.
   */
  clusterIdentified?(event: {
    readonly clusterId: string;
    readonly reason: IdentityReason;
    readonly isProvisional: boolean;
    readonly members: readonly Endpoint[];
    readonly foreign: readonly ForeignEndpoint[];
    readonly from: string | undefined;
  }): void;
  /**
   * Endpoints are not used because they belong to other clusters than `clusterId`. Called when these endpoints have changed,
   * and again once in ten minutes while no endpoint is used.
   */
  wrongCluster?(event: {
    readonly clusterId: string;
    readonly members: readonly Endpoint[];
    readonly foreign: readonly ForeignEndpoint[];
    readonly isAnyUsed: boolean;
  }): void;
  /** No endpoint belongs to another cluster any more. */
  wrongClusterOver?(event: { readonly clusterId: string; readonly lastedMs: number }): void;
  /** These endpoints answer and cannot tell their cluster; they are used. Called once for each. */
  clusterUnknown?(event: { readonly endpoints: readonly Endpoint[] }): void;
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
