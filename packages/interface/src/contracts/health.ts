import type { GatewayError } from "../error.js";
import type { Endpoint } from "./endpoint.js";

/** The result of one health check of an endpoint. */
export interface Verdict {
  /** Which check was made: `etcd /readyz`, `etcd /health`, `http`, `tls`, `tcp`. */
  readonly check: string;
  /** Why the endpoint is unhealthy; absent if it is healthy. */
  readonly error?: GatewayError | undefined;
  /**
   * What is at fault. `cluster`: other members are likely to have the same fault (no leader, no space left), so it counts
   * against this endpoint only while another one is healthy.
   */
  readonly scope: "endpoint" | "cluster";
  /**
   * Whether the endpoint accepts connections in spite of `error`, so that a dial cannot show that it has recovered. Absent
   * where the check does not know. @default true, unless the connection was refused or the address is unreachable
   */
  readonly connectable?: boolean | undefined;
  /**
   * Whether a healthy verdict proves that the endpoint answers clients, so that they are at fault for connections that
   * it ends unanswered. False where the check only connected, or asked another address than clients use. @default true
   */
  readonly conclusive?: boolean | undefined;
  /**
   * The check learns next to nothing, and the next one will not either; it may leave an error in the endpoint's log.
   * Such checks are made a few times an hour only, and when there is reason to suspect the endpoint. @default false
   */
  readonly uninformative?: boolean | undefined;
  /** What users should know although the endpoint is healthy, such as that only a shallower check was possible. */
  readonly note?: string | undefined;
}

/**
 * Checks once whether `endpoint` can serve. Never takes longer than its own timeout, and rejects only when `signal` is
 * aborted; every other result is a verdict.
 */
export type Probe = (endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict>;

/** What health checks need of a pool. */
export interface CheckedPool {
  /** All endpoints of the pool, in its order. */
  inspect(): readonly EndpointStatus[];
  /**
   * Takes a verdict that is final: a healthy one, or one after enough consecutive failures. Ignored for an endpoint that
   * is unknown, or is down as unhealthy already.
   *
   * @param anotherIsHealthy whether another endpoint was healthy shortly before the check of this verdict, and still is
   */
  report(endpoint: Endpoint, verdict: Verdict, anotherIsHealthy: boolean): void;
}

/** The state of an endpoint in a pool. */
export interface EndpointStatus {
  readonly endpoint: Endpoint;
  /**
   * - `up`: it gets connections when the policy says so
   * - `down`: it failed, and gets none until it is tried again
   * - `draining`: it is no longer an endpoint, and still has connections
   */
  readonly state: "up" | "down" | "draining";
  /** A health check marked it down, or it is used in spite of a bad verdict. */
  readonly unhealthy: boolean;
  /** The newest connection of the pool went there. */
  readonly inUse: boolean;
  /** Connections that are open or being dialled. */
  readonly connections: number;
  /** Since when it is in this state, in milliseconds on the pool's clock. */
  readonly since: number;
  /** Why it is down. */
  readonly error?: GatewayError | undefined;
  /** When it will be tried again, on the pool's clock; only if it is down. */
  readonly retryAt?: number | undefined;
  /** The newest verdict on it. */
  readonly verdict?: Verdict | undefined;
}
