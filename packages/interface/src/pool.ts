import type { Endpoint } from "./endpoint.js";
import type { GatewayError } from "./error.js";

/** What a proxy needs to know about endpoints: where the next connection goes. */
export interface Pool {
  /** A lease on one endpoint for one connection, or `undefined` when this client has tried all of them. */
  acquire(request: LeaseRequest): Lease | undefined;
}

/** Who asks for a lease. The pool keeps it until the lease has ended. */
export interface LeaseRequest {
  /** Endpoints on which this client has failed already; they are not offered again. Read by `acquire` alone. */
  readonly tried: readonly Endpoint[];
  /**
   * Called at most once, never from within `acquire`, when the lease should end: while it is being dialled, because
   * the endpoint is gone or another client found it dead (give up this dial, call `failed` with the error given, and
   * go on to the next endpoint); once it is connected, because the endpoint is gone or found to be unwell (close the
   * connection).
   */
  onRevoked(error: GatewayError): void;
  /** Whether the endpoint has sent a byte on the connection so far. @default not known */
  readonly answered?: boolean | undefined;
}

/**
 * One connection's claim on an endpoint. It ends exactly once: by `failed` before it was connected, or by
 * `released` at any time. Calls after its end do nothing.
 */
export interface Lease {
  readonly endpoint: Endpoint;
  /** The dial succeeded: the endpoint is up. */
  connected(): void;
  /** The dial failed, and `error` says why. Errors of this machine's own do not count against the endpoint. */
  failed(error: GatewayError): void;
  /**
   * The connection is over, or its client went away before it was made.
   *
   * @param failure the endpoint's side of the connection was reset or lost
   * @param answered whether the endpoint sent a byte. False only where it ended the connection before one, and before
   *   the client did, or reset it while the client waited; undefined where the connection says nothing about the endpoint
   */
  released(failure?: GatewayError, answered?: boolean): void;
}
