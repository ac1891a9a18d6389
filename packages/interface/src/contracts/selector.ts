import type { Endpoint } from "./endpoint.js";

/** An endpoint that may be picked now. */
export interface Candidate {
  readonly endpoint: Endpoint;
  /** Connections that the gateway has to this endpoint now, including those being dialled. */
  readonly connections: number;
  /** For how long it has been up, in milliseconds; absent if unknown, and where it is offered although it is down. */
  readonly upMs?: number | undefined;
  /** The smoothed round trip of its health checks, in milliseconds; absent if unknown. */
  readonly latencyMs?: number | undefined;
  /** Whether it is the leader of its cluster; absent if unknown. */
  readonly isLeader?: boolean | undefined;
  /** Of the server, as `3.5.21`; absent if unknown. */
  readonly version?: string | undefined;
}

/** A policy: chooses the endpoint of the next connection. */
export interface Selector {
  /**
   * Returns one of `candidates` (the same object); `undefined` only if there are none.
   *
   * Called once for each dial (see {@link picksAhead}), synchronously, so it must be quick. The candidates are already
   * filtered: all have the best SRV priority that has an endpoint up, and this client has failed on none of them. The
   * caller owns the array and the candidates: do not keep or change them (to remember an endpoint, keep
   * `candidate.endpoint`, and compare host and port).
   */
  pick(candidates: readonly Candidate[]): Candidate | undefined;
  /**
   * Where connections that are open elsewhere should be: one of `candidates`; undefined if they may stay where they are.
   * Without this method no connection is moved because of the policy. Called every few seconds while there are
   * connections; the same rules as for `pick`, which it should agree with. Connections follow at a bounded rate, see
   * `targetRate`.
   */
  target?(candidates: readonly Candidate[]): Candidate | undefined;
  /**
   * The part of all connections, 0 to 1, that may be closed in a minute to follow `target`, if the pool's `rebalance` is 0.
   * @default 0
   */
  readonly targetRate?: number | undefined;
  /**
   * Whether `pick` may be called before the client has come. Only for picks that depend on nothing but which endpoints are
   * candidates, and on earlier picks: not on connections, latencies or the time. Picks are used in their order, and
   * dropped when an endpoint goes up or down. Read before each of them.
   * @default false: once for each client, when it has come
   */
  readonly picksAhead?: boolean | undefined;
}

/**
 * The default export of a selector package: creates a selector.
 *
 * @param options the options that the user gave after the selector's name; empty if there are none
 */
export type SelectorFactory = (options: { readonly [key: string]: string }) => Selector;
