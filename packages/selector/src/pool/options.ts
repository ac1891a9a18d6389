import {
  type CheckedPool,
  type Clock,
  type Endpoint,
  GatewayError,
  type Observer,
  type Pool,
  type Selector,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { stickyRandom } from "../policies/sticky-random.js";
import type { DrainPolicy } from "./drain.js";
import { SelectingPool } from "./pool.js";

/** Options of {@link createPool}. Times are in milliseconds, and at most 2³¹ − 1, what a timer of Node can wait for. */
export interface PoolOptions {
  /** The policy. @default stickyRandom() */
  readonly selector?: Selector | undefined;
  /**
   * How long a failed endpoint is set aside before it is tried again; more than 0. Each time that it fails again it is
   * twice as long, less up to a fifth at random, until the endpoint has served for as long as it was last set aside.
   * @default 60000
   */
  readonly retryDelayMs?: number | undefined;
  /** How long that becomes at most; not less than `retryDelayMs`. @default 300000, or `retryDelayMs` if that is more */
  readonly maxRetryDelayMs?: number | undefined;
  /**
   * Tries an endpoint that was set aside: resolves if it can serve again, rejects if not or when `signal` is
   * aborted; with the verdict of a health check, if there was one. Without it an endpoint is simply offered again after
   * `retryDelayMs`.
   */
  readonly probe?: ((endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict | undefined>) | undefined;
  /**
   * Whether a good verdict shows that the endpoint answers where it serves clients, so that they are to blame for
   * connections that it ends unanswered. @default unless it is not conclusive, or of a check that only connects
   */
  readonly isProof?: ((verdict: Verdict) => boolean) | undefined;
  /**
   * If health checks have set aside more than this part of the endpoints of the priority that serves, what they say is
   * ignored; 0 to 1. @default 0.5
   */
  readonly panicThreshold?: number | undefined;
  /**
   * There is reason to doubt an endpoint: a connection to it was reset or lost, was ended before the endpoint sent a
   * byte, or could not be made while others are open. Called from within whatever brought it to light.
   */
  readonly onSuspicion?: ((endpoint: Endpoint) => void) | undefined;
  /** What happens to the open connections of an endpoint that is no longer in the set. @default "drain" */
  readonly onRemoved?: DrainPolicy | undefined;
  /** The same, of one that health checks have set aside, if there is another to go to. @default "close" */
  readonly onUnhealthy?: DrainPolicy | undefined;
  /** How long such connections may go on under `drain`; more than 0. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
  /** Connections are closed at this age, a tenth more or less; 0 for never. @default 0 */
  readonly maxConnectionAgeMs?: number | undefined;
  /**
   * The part of all connections, 0 to 1, that may be closed in a minute so that endpoints that carry too few get their
   * share again. Not for policies that keep to one endpoint. @default 0
   */
  readonly rebalance?: number | undefined;
  /** Whether the share of an endpoint goes by its SRV weight, as with weighted policies. @default false */
  readonly weighted?: boolean | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Sees what happens to endpoints. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link PoolOptions} are silent. */
export const poolDefaults = {
  retryDelayMs: 60_000,
  maxRetryDelayMs: 300_000,
  panicThreshold: 0.5,
  onRemoved: "drain",
  onUnhealthy: "close",
  drainTimeoutMs: 30_000,
  maxConnectionAgeMs: 0,
  rebalance: 0,
} as const;

/** What a timer of Node can wait for at most. */
const longestMs = 2 ** 31 - 1;

/** A pool of endpoints that can be fed, told of health checks, and closed. */
export interface EndpointPool extends Pool, CheckedPool {
  /**
   * Replaces the set of endpoints. What stays keeps its state; what is gone gets no new connections, its
   * dials are given up, and `onRemoved` says what happens to its open connections. One that returns while
   * such connections are open keeps them.
   */
  update(endpoints: readonly Endpoint[]): void;
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
  /** Stops trying endpoints again and closing connections. Leases stay valid; `acquire` goes on to work. */
  close(): void;
}

/** A change of a pool; see {@link EndpointPool.onChange}. */
export interface PoolChange {
  /** Whether every endpoint is down; false if there is none. */
  readonly allDown: boolean;
}

/**
 * Owns the state of all endpoints: which are up, which are set aside and since when, how many connections
 * each has. Offers the members of the best SRV priority that are up to the selector. When all are set aside
 * it offers them all the same, since a wrong guess costs a client no more than a refusal.
 *
 * @throws {GatewayError} `invalid-option` if an option is out of its range
 */
export function createPool(options: PoolOptions = {}): EndpointPool {
  const { retryDelayMs = poolDefaults.retryDelayMs, drainTimeoutMs = poolDefaults.drainTimeoutMs } = options;
  const { maxRetryDelayMs = Math.max(retryDelayMs, poolDefaults.maxRetryDelayMs) } = options;
  const { maxConnectionAgeMs = poolDefaults.maxConnectionAgeMs } = options;
  const { panicThreshold = poolDefaults.panicThreshold, rebalance = poolDefaults.rebalance } = options;
  check("retryDelayMs", retryDelayMs, aWait);
  check("maxRetryDelayMs", maxRetryDelayMs, aWait);
  if (maxRetryDelayMs < retryDelayMs)
    throw invalid(`maxRetryDelayMs ${maxRetryDelayMs} is less than retryDelayMs ${retryDelayMs}`);
  check("drainTimeoutMs", drainTimeoutMs, aWait);
  if (maxConnectionAgeMs !== 0) check("maxConnectionAgeMs", maxConnectionAgeMs, aWait);
  check("panicThreshold", panicThreshold, aPart);
  check("rebalance", rebalance, aPart);
  return new SelectingPool({
    selector: options.selector ?? stickyRandom(),
    retryDelayMs,
    maxRetryDelayMs,
    probe: options.probe,
    panicThreshold,
    onSuspicion: options.onSuspicion,
    isProof: options.isProof ?? (({ check, conclusive = check !== "tcp" }) => conclusive),
    onRemoved: options.onRemoved ?? poolDefaults.onRemoved,
    onUnhealthy: options.onUnhealthy ?? poolDefaults.onUnhealthy,
    drainTimeoutMs,
    maxConnectionAgeMs,
    rebalance,
    weighted: options.weighted ?? false,
    random: options.random ?? Math.random,
    observer: options.observer,
    clock: options.clock ?? systemClock,
  });
}

interface Range {
  readonly holds: (value: number) => boolean;
  readonly says: string;
}
const aWait: Range = { holds: ms => ms > 0 && ms <= longestMs, says: `more than 0 and at most ${longestMs}` };
const aPart: Range = { holds: part => part >= 0 && part <= 1, says: "between 0 and 1" };

function check(option: string, value: number, { holds, says }: Range): void {
  if (!holds(value)) throw invalid(`${option} ${value} is not ${says}`);
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
