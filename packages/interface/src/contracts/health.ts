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
  /** What the endpoint says of itself, if it was asked. */
  readonly facts?: EndpointFacts | undefined;
  /** What users should know although the endpoint is healthy, such as that only a shallower check was possible. */
  readonly note?: string | undefined;
}

/**
 * What an endpoint says of itself; what it does not say, or was not asked, is absent.
 *
 * Source: `Status` of etcd 3.4 to 3.6. Ids are in hexadecimal, as etcdctl prints them.
 */
export interface EndpointFacts {
  readonly clusterId?: string | undefined;
  readonly memberId?: string | undefined;
  /** The member that it knows as leader; absent if it knows none. */
  readonly leaderId?: string | undefined;
  /** It is a learner: it has no vote, and serves no linearizable requests. */
  readonly isLearner?: boolean | undefined;
  /** Grows with each election, so that the newest of two leaders is known. */
  readonly raftTerm?: number | undefined;
  /** Of the server, as `3.5.21`. */
  readonly version?: string | undefined;
  /** From a request to the first byte of its response, on a connection that was open, in milliseconds. */
  readonly roundTripMs?: number | undefined;
}

/**
 * How thorough a check is:
 *
 * - `regular`: as cheap as possible for the endpoint, since every gateway makes it again and again
 * - `deep`: whether it can serve writes and reads on which the whole cluster has to agree
 */
export type CheckDepth = "regular" | "deep";

/** What a caller demands of one check. */
export interface ProbeRequest {
  /** @default "deep" */
  readonly depth?: CheckDepth | undefined;
  /** The longest that this check may take, in milliseconds, if that is less than the probe's own timeout. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Checks once whether `endpoint` can serve. Never takes longer than its own timeout, and rejects only when `signal` is
 * aborted; every other result is a verdict. A probe that knows one depth only ignores the request's.
 */
export type Probe = (endpoint: Endpoint, signal: AbortSignal, request?: ProbeRequest) => Promise<Verdict>;

/**
 * Why an endpoint is suspected:
 *
 * - `lost`: a connection to it was reset or lost
 * - `unanswered`: it ended a connection before it sent a byte
 * - `refused`: it could not be dialled while connections to it are open
 * - `stalled`: a client waits for it longer than the stall timeout
 * - `abandoned`: a client gave up that had waited for it for long
 * - `ended`: a connection that had been open for long ended as it should, as watches at a member without a leader do; mostly
 *   that means nothing
 * - `outdated`: it reports an older raft term than one in which another member named a leader before
 */
export type Suspicion = "lost" | "unanswered" | "refused" | "stalled" | "abandoned" | "ended" | "outdated";

/** What the open connections of clients show of an endpoint. */
export interface EndpointActivity {
  /** Connections that are open, without those being dialled. */
  readonly connections: number;
  /**
   * Bytes that the endpoint has sent on all connections so far, also on those that have ended. It may shrink when
   * connections end whose bytes are not known.
   */
  readonly bytes: number;
  /** How long ago it last sent a byte on one that is open, in milliseconds; Infinity if never, or unknown. */
  readonly answeredMs: number;
  /** How long the client that has waited longest has been waiting, in milliseconds; 0 if none waits, or unknown. */
  readonly waitingMs: number;
}

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
  /**
   * What clients see of an endpoint now; undefined if it is unknown. Takes time that grows with its connections: ask
   * when it matters, such as before a check. Without this method, endpoints with connections are checked as if they sent nothing.
   */
  activity?(endpoint: Endpoint): EndpointActivity | undefined;
  /**
   * Clients wait for this endpoint, and the check that would clear it has no answer yet, which may take seconds: while
   * `isAvoided`, new connections go to another endpoint of the same priority that is healthy, if there is one, whatever a
   * built-in policy picks; custom policies decide alone. In a panic it is not avoided. Nothing else changes.
   */
  avoid?(endpoint: Endpoint, isAvoided: boolean): void;
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
  /** Why it is down, or left the set. */
  readonly error?: GatewayError | undefined;
  /** When it will be tried again, on the pool's clock; only if it is down. */
  readonly retryAt?: number | undefined;
  /** The newest verdict on it. */
  readonly verdict?: Verdict | undefined;
  /** The newest of each fact. */
  readonly facts?: EndpointFacts | undefined;
}
