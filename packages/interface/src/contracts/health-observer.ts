import type { Endpoint } from "./endpoint.js";
import type { CheckDepth, Verdict } from "./health.js";

/**
 * Why a cluster is the accepted one:
 *
 * - `pinned`: it was given
 * - `remembered`: an earlier run had accepted it
 * - `majority`: more endpoints told its id than others
 * - `first`: endpoints disagree, none has a majority, and one of its members answered first
 * - `rebuilt`: all endpoints that answer have told this new id for a while
 */
export type IdentityReason = "pinned" | "remembered" | "majority" | "first" | "rebuilt";

/** An endpoint that must not be used. */
export interface ForeignEndpoint {
  readonly endpoint: Endpoint;
  /** The other cluster's. */
  readonly clusterId: string;
  /** How often it has told the accepted id before another one: more than once hints at a proxy in front of two clusters. */
  readonly alternations: number;
}

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
