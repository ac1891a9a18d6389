import type { GatewayError } from "../error.js";
import type { Endpoint } from "./endpoint.js";

/** Chooses the endpoint of each connection of a proxy. */
export interface Pool {
  /**
   * Present until endpoints are known, as at the start: clients wait for it, without a lease, before the first call of
   * `acquire`. It never rejects.
   */
  readonly opening?: Promise<void> | undefined;
  /** A lease on one endpoint for one connection, or `undefined` when this client has tried all of them. */
  acquire(request: LeaseRequest): Lease | undefined;
  /**
   * Picks an endpoint for a client that has not come yet, as `acquire` would for the next one. `undefined` if clients have
   * to come first, as while an endpoint fails.
   */
  pickAhead?(): EarlyPick | undefined;
  /**
   * Calls `listener` as soon as picks that have no lease must not be used for clients that come from now on, synchronously:
   * it must be quick and call nothing of the pool. Needed with `pickAhead`.
   *
   * @returns a function that stops the calls
   */
  onPicksVoid?(listener: () => void): () => void;
}

/** An endpoint that was picked before its client came. It counts as no connection. */
export interface EarlyPick {
  readonly endpoint: Endpoint;
  /**
   * Its client has come: a lease like any other. Called at most once; also for a pick that is void by now, if the client
   * had come before: then the lease is revoked soon, unless its connection may stay.
   */
  lease(request: LeaseRequest): Lease;
}

/** A request for a lease. The pool keeps it until the lease has ended. */
export interface LeaseRequest {
  /** Endpoints on which this client has failed already; they are not offered again. Read by `acquire` only. */
  readonly tried: readonly Endpoint[];
  /**
   * Called at most once, never from within `acquire`, when the lease should end. While the endpoint is being dialled: it
   * was removed or marked down, so cancel the dial, call `failed` with this error, and go on to the next endpoint. Once
   * connected: it was removed or is unhealthy, so close the connection.
   */
  onRevoked(error: GatewayError): void;
  /** Whether the endpoint has sent a byte on the connection so far. @default unknown */
  readonly answered?: boolean | undefined;
  /** Bytes that the endpoint has sent on the connection so far. @default unknown */
  readonly bytesFromBackend?: number | undefined;
  /** How long ago the endpoint last sent a byte, in milliseconds; undefined if never, or unknown. */
  readonly answeredMs?: number | undefined;
  /** For how long the client has been waiting for an answer, in milliseconds; undefined if it is not, or unknown. */
  readonly waitingMs?: number | undefined;
}

/**
 * One connection's claim on an endpoint. It ends exactly once: by `failed` before it was connected, or by
 * `released` at any time. Calls after its end do nothing.
 */
export interface Lease {
  readonly endpoint: Endpoint;
  /** The dial succeeded: the endpoint is up. */
  connected(): void;
  /** The client of the connection waits longer for an answer than the stall timeout. Called once for each wait. */
  stalled?(): void;
  /**
   * The client of the connection gave up: it left after it had waited for an answer for long, whether or not `stalled` was
   * called for that. Called at most once, right before `released`.
   */
  abandoned?(): void;
  /** The dial failed, for the reason `error`. Local errors do not count against the endpoint. */
  failed(error: GatewayError): void;
  /**
   * The connection ended, or its client disconnected before it was established.
   *
   * @param failure why the endpoint's side of the connection was reset or lost, if it was
   * @param answered whether the endpoint sent a byte. False only if it ended the connection without one, and before the
   *   client did, or reset it while the client waited; undefined if the connection does not show that
   */
  released(failure?: GatewayError, answered?: boolean): void;
}
