import type { Clock, Endpoint, EndpointFacts, GatewayError, HealthObserver } from "@gw/interface";

/** Options of `identifyCluster`. */
export interface ClusterIdentityOptions {
  /**
   * Asks an endpoint for the id of its cluster, in hexadecimal without leading zeros; resolves with undefined if it answers
   * and cannot tell. It should use a new connection, as the next client will, and take no longer than `identityTimeoutMs`.
   *
   * @throws {GatewayError} why there is no answer
   */
  readonly ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<string | undefined>;
  /** The id of the only cluster that is accepted, in hexadecimal, in lower case without leading zeros. @default none */
  readonly pinned?: string | undefined;
  /** The id that an earlier run accepted, in the same form. @default none */
  readonly remembered?: string | undefined;
  /**
   * For how long all endpoints that answer must have told the same new id until the cluster counts as rebuilt, in
   * milliseconds. @default 30000
   */
  readonly holdMs?: number | undefined;
  readonly observer?: HealthObserver | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Takes the endpoints that may be used, whenever they have changed.
 *
 * @param rejected members of other clusters: their connections have to end at once
 */
export type IdentityUse = (
  endpoints: readonly Endpoint[],
  rejected: readonly { readonly endpoint: Endpoint; readonly error: GatewayError }[],
) => void;

/** Keeps members of other clusters away. */
export interface ClusterIdentity {
  /** The id that is accepted and worth remembering for the next run; undefined while it is unknown or provisional. */
  readonly clusterId: string | undefined;
  /** Passes on endpoints from now on. */
  start(use: IdentityUse): void;
  /** Replaces the set. New endpoints are asked before they are passed on, unless there is only one and nothing is known. */
  update(endpoints: readonly Endpoint[]): void;
  /** Takes what an endpoint has said of itself in a health check. */
  learn(endpoint: Endpoint, facts: EndpointFacts): void;
  /**
   * Asks an endpoint that was down before it is used again. Resolves if it may be used.
   *
   * @throws {GatewayError} `wrong-cluster` if it is a member of another cluster
   */
  admit(endpoint: Endpoint, signal: AbortSignal): Promise<void>;
  /** Another member may have taken the endpoint's address: it is asked now, but at most once in two seconds. */
  suspect(endpoint: Endpoint): void;
  /** A host name leads to an address that it did not lead to before: its endpoints are suspected. */
  moved(host: string): void;
  /**
   * A client was connected to an endpoint: it is asked now, unless it was asked a short time ago. Answers to health checks do
   * not count, since their connection may still lead to a former owner of the address.
   *
   * @param isRecovered whether the connection has shown that the endpoint is up again
   */
  connected(endpoint: Endpoint, isRecovered: boolean): void;
  /** What endpoints answer may have changed, as with a new certificate: those without the accepted id are asked again. */
  refresh(): void;
  close(): void;
}
