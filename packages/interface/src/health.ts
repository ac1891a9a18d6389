import type { Endpoint } from "./endpoint.js";
import type { GatewayError } from "./error.js";

/** What a probe found out about an endpoint. */
export interface Verdict {
  /** How deep the probe could look: `etcd /readyz`, `etcd /health`, `http`, `tls`, `tcp`. */
  readonly level: string;
  /** Why the endpoint should not be used; absent if it may. */
  readonly error?: GatewayError | undefined;
  /**
   * Whose fault that may be. `cluster`: other members are likely to have it as well (no leader, no space left), so it
   * is a reason to leave this one only for one that is known to be well.
   */
  readonly scope: "endpoint" | "cluster";
  /**
   * The check learnt next to nothing, and the next one would not either; it may have left an error in the endpoint's log.
   * Such checks are made a few times an hour only, and when there is reason to doubt the endpoint. @default false
   */
  readonly futile?: boolean | undefined;
  /** What people should know all the same, such as that only a shallower look was possible. */
  readonly note?: string | undefined;
}

/**
 * Looks once whether `endpoint` can serve. Never takes longer than its own timeout, and rejects only when `signal`
 * is aborted; everything else is a verdict.
 */
export type Probe = (endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict>;

/** What health checks need of a pool. */
export interface Checked {
  /** All endpoints of the pool, in its order. */
  inspect(): readonly EndpointStatus[];
  /**
   * A verdict that holds: a good one, or one that was bad often enough. On an endpoint that is no longer known, or is
   * set aside as unhealthy already, it changes nothing.
   *
   * @param elsewhere whether another endpoint was well some time before the look that this is the verdict of, and still is
   */
  report(endpoint: Endpoint, verdict: Verdict, elsewhere: boolean): void;
}

/** How an endpoint is doing. */
export interface EndpointStatus {
  readonly endpoint: Endpoint;
  /**
   * - `up`: it takes connections when the policy says so
   * - `aside`: it failed, and waits to be tried again
   * - `leaving`: it is no longer an endpoint, and still has connections
   */
  readonly state: "up" | "aside" | "leaving";
  /** It was set aside, or is used in spite of that, because of a verdict. */
  readonly unhealthy: boolean;
  /** The newest connection of the pool went there. */
  readonly inUse: boolean;
  /** Connections that are open or being dialled. */
  readonly connections: number;
  /** Since when it is in this state, in milliseconds on the pool's clock. */
  readonly since: number;
  /** Why it is aside. */
  readonly error?: GatewayError | undefined;
  /** When it will be tried again, on the pool's clock; only of what is aside. */
  readonly retryAt?: number | undefined;
  /** The newest verdict on it. */
  readonly verdict?: Verdict | undefined;
}
