/**
 * The answer to `GET /status`, and the data of each `status` event of `GET /stream`. `schema/status.schema.json` says the
 * same for programs in other languages. Times of day are in ISO 8601, durations in milliseconds, endpoints are `host:port`.
 */
export interface Status {
  /** Grows when a field changes its meaning or is removed; new fields do not change it. */
  readonly schema: 1;
  readonly gateway: GatewayStatus;
  /** Whether it listens, and at least one endpoint is up; what `/readyz` says. */
  readonly ready: boolean;
  /** The endpoint of the newest connection; absent before the first one. */
  readonly inUse?: string | undefined;
  /** Since when, as far as it is known. */
  readonly inUseSince?: string | undefined;
  /** In the order of the set; then those that are draining; then those of other clusters. */
  readonly endpoints: readonly EndpointView[];
  /** The SRV priorities, best first. */
  readonly tiers: readonly TierView[];
  readonly panic?: PanicView | undefined;
  readonly lastFailover?: FailoverView | undefined;
  readonly connections: ConnectionCounts;
  readonly discovery: readonly SourceView[];
  readonly health: HealthView;
  readonly identity: IdentityView;
  readonly process: ProcessView;
  /** The flags in force and where each came from. Passwords and tokens are left out. */
  readonly options: readonly OptionView[];
}

export interface GatewayStatus {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly state: "starting" | "serving" | "draining";
  readonly now: string;
  readonly startedAt: string;
  readonly listen: readonly string[];
  /** `native` or `js`. */
  readonly relay: string;
  readonly relayThreads?: number | undefined;
  readonly selector: string;
  /** Whether `--admin-actions` is given. */
  readonly actions: boolean;
  readonly logLevel: string;
}

export interface EndpointView {
  readonly endpoint: string;
  readonly priority: number;
  readonly weight: number;
  /** Whether its source specifies TLS; absent if it specifies neither. */
  readonly secure?: boolean | undefined;
  /**
   * - `up`, `down`: as in the pool
   * - `draining`: it is no longer an endpoint, and still has connections
   * - `held`: an operator has drained it or marked it down; see `hold`
   * - `foreign`: it belongs to another cluster and is not used
   */
  readonly state: "up" | "down" | "draining" | "held" | "foreign";
  readonly hold?: "drained" | "down" | undefined;
  readonly inUse: boolean;
  /** A health check marked it down, or it is used in spite of a bad verdict. */
  readonly unhealthy: boolean;
  readonly since: string;
  /** Why it is not up, as a clause. */
  readonly reason?: string | undefined;
  /** The code of that error, such as `refused`. */
  readonly code?: string | undefined;
  /** When it is tried again, if it is down. */
  readonly retryAt?: string | undefined;
  /** Open or being dialled. */
  readonly connections: number;
  /** Clients that have been waiting for an answer for longer than the stall timeout. */
  readonly waiting: number;
  /** For how long the client has waited that waits longest; 0 if none waits. */
  readonly longestWaitMs: number;
  /** Its newest health check. */
  readonly check?: CheckView | undefined;
  readonly facts?: FactsView | undefined;
  readonly totals: EndpointTotals;
}

export interface CheckView {
  /** `etcd /readyz`, `tcp`, … */
  readonly type: string;
  readonly at: string;
  readonly tookMs: number;
  readonly healthy: boolean;
  readonly reason?: string | undefined;
  readonly note?: string | undefined;
}

/** What the endpoint says of itself; see `EndpointFacts` of `@gw/interface`. */
export interface FactsView {
  readonly clusterId?: string | undefined;
  readonly memberId?: string | undefined;
  readonly leaderId?: string | undefined;
  readonly isLeader?: boolean | undefined;
  readonly isLearner?: boolean | undefined;
  readonly raftTerm?: number | undefined;
  readonly version?: string | undefined;
  readonly roundTripMs?: number | undefined;
}

/** Since the start of the gateway; they only grow. Bytes of open connections are included. */
export interface EndpointTotals {
  readonly connected: number;
  readonly closed: number;
  readonly dialFailures: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  /** From accept to connection, of all that were connected. */
  readonly dialMsSum: number;
}

export interface TierView {
  readonly priority: number;
  readonly endpoints: number;
  readonly up: number;
  readonly inUse: boolean;
}

export interface PanicView {
  readonly cause: "all-down" | "most-unhealthy" | "cluster";
  readonly since: string;
  readonly reason: string;
}

export interface FailoverView {
  readonly at: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

export interface ConnectionCounts {
  /** Open or being dialled. */
  readonly open: number;
  readonly limit?: number | undefined;
  readonly accepted: number;
  readonly refused: number;
  readonly unserved: number;
  readonly closed: number;
  readonly waiting: number;
  readonly longestWaitMs: number;
  /** Dials by duration: how many took at most `dialBucketsMs[i]`, cumulated as Prometheus does; the last is all. */
  readonly dialBucketsMs: readonly number[];
  readonly dialCounts: readonly number[];
}

export interface SourceView {
  /** `srv example.com`, `static`, `file /etc/gw.yaml`. */
  readonly source: string;
  readonly endpoints: number;
  readonly lastChange?: string | undefined;
  /** When it could last be read. */
  readonly lastRead?: string | undefined;
  readonly failedSince?: string | undefined;
  readonly reason?: string | undefined;
  readonly failures: number;
}

export interface HealthView {
  /** The value of `--health-check`. */
  readonly type: string;
  readonly available: boolean;
  readonly reason?: string | undefined;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export interface IdentityView {
  /** Of the cluster whose members are used. */
  readonly clusterId?: string | undefined;
  readonly foreign: readonly { readonly endpoint: string; readonly clusterId: string }[];
}

export interface ProcessView {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly cpuSeconds: number;
  readonly openDescriptors?: number | undefined;
  readonly maxDescriptors?: number | undefined;
  /** The longest of the last ten seconds. */
  readonly eventLoopDelayMs: number;
}

export interface OptionView {
  /** Without its dashes. */
  readonly flag: string;
  readonly value: string;
  readonly from: "flag" | "environment" | "default";
}
