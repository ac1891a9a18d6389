import type { CheckedPool, Endpoint, GatewayError, Pool } from "@gw/interface";

/** The pool of a gateway: it is given endpoints and verdicts, and hands out leases. */
export interface EndpointPool extends Pool, CheckedPool {
  /**
   * Replaces the set of endpoints. An endpoint that stays keeps its state. One that is gone gets no new connections, its
   * dials are revoked, and `onRemoved` decides what happens to its open connections; it keeps them if it returns before
   * they have ended.
   *
   * @param rejected endpoints that are not in the set because they must not serve clients any more, and why: connections
   *   that they still have are reset at once, whatever `onRemoved` says, unless `connections` says otherwise
   */
  update(endpoints: readonly Endpoint[], rejected?: readonly RejectedEndpoint[]): void;
  /**
   * Calls `listener` after the set of endpoints changed, an endpoint was marked up or down, or a failover moved
   * connections to another endpoint. A policy that alternates by itself, a new weight and another reason for being down
   * are no changes.
   *
   * It is called synchronously, from within the call or the timer that made the change, at most once for each: it must
   * be quick and may call `inspect`, but nothing that changes the pool. What it throws becomes a process warning.
   *
   * @returns a function that stops the calls; `close` does not
   */
  onChange(listener: (change: PoolChange) => void): () => void;
  /** How many endpoints it has, up or down. */
  readonly size: number;
  /** Stops trying endpoints again and closing connections. Leases stay valid; `acquire` goes on to work. */
  close(): void;
}

/** An endpoint that must not be used; see {@link EndpointPool.update}. */
export interface RejectedEndpoint {
  readonly endpoint: Endpoint;
  readonly error: GatewayError;
  /**
   * - `reset`: its open connections are reset at once
   * - `drain`: they end as those of any endpoint that leaves the set, by `onRemoved`
   *
   * @default "reset"
   */
  readonly connections?: "reset" | "drain" | undefined;
}

/** A change of a pool; see {@link EndpointPool.onChange}. */
export interface PoolChange {
  /** Whether every endpoint is down; false if there is none. */
  readonly allDown: boolean;
}
