import {
  type Clock,
  type Endpoint,
  GatewayError,
  type Observer,
  type Pool,
  type Selector,
  systemClock,
} from "@gw/interface";
import type { OnRemoved } from "./farewell.js";
import { SelectingPool } from "./selecting-pool.js";
import { stickyRandom } from "./sticky-random.js";

/** Options of {@link createPool}. */
export interface PoolOptions {
  /** The policy. @default stickyRandom() */
  readonly selector?: Selector | undefined;
  /**
   * How long a failed endpoint is set aside before it is tried again, in milliseconds: more than 0, and at
   * most 2³¹ − 1, which is what a timer of Node can wait for. @default 60000
   */
  readonly retryDelayMs?: number | undefined;
  /**
   * Tries an endpoint that was set aside: resolves if it can serve again, rejects if not or when `signal` is
   * aborted. Without it an endpoint is simply offered again after `retryDelayMs`.
   */
  readonly probe?: (endpoint: Endpoint, signal: AbortSignal) => Promise<void>;
  /** What happens to the open connections of an endpoint that is no longer in the set. @default "drain" */
  readonly onRemoved?: OnRemoved | undefined;
  /** How long such connections may go on under `drain`, in milliseconds: at most 2³¹ − 1. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Sees what happens to endpoints. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link PoolOptions} are silent. */
export const poolDefaults = { retryDelayMs: 60_000, onRemoved: "drain", drainTimeoutMs: 30_000 } as const;

/** What a timer of Node can wait for at most. */
const longestMs = 2 ** 31 - 1;

/** A pool of endpoints that can be fed and closed. */
export interface EndpointPool extends Pool {
  /**
   * Replaces the set of endpoints. What stays keeps its state; what is gone gets no new connections, its
   * dials are given up, and `onRemoved` says what happens to its open connections. One that returns while
   * such connections are open keeps them.
   */
  update(endpoints: readonly Endpoint[]): void;
  /** Stops trying endpoints again and closing connections. Leases stay valid; `acquire` goes on to work. */
  close(): void;
}

/**
 * Owns the state of all endpoints: which are up, which are set aside and since when, how many connections
 * each has. Offers the members of the best SRV priority that are up to the selector. When all are set aside
 * it offers them all the same ("last chance"), since a wrong guess costs a client no more than a refusal.
 *
 * @throws {GatewayError} `invalid-option` if `retryDelayMs` or `drainTimeoutMs` is out of its range
 */
export function createPool(options: PoolOptions = {}): EndpointPool {
  return new SelectingPool({
    selector: options.selector ?? stickyRandom(),
    retryDelayMs: wait("retryDelayMs", options.retryDelayMs ?? poolDefaults.retryDelayMs),
    probe: options.probe,
    onRemoved: options.onRemoved ?? poolDefaults.onRemoved,
    drainTimeoutMs: wait("drainTimeoutMs", options.drainTimeoutMs ?? poolDefaults.drainTimeoutMs),
    random: options.random ?? Math.random,
    observer: options.observer,
    clock: options.clock ?? systemClock,
  });
}

function wait(option: string, ms: number): number {
  if (ms > 0 && ms <= longestMs) return ms;
  throw new GatewayError("invalid-option", `${option} ${ms} is not more than 0 and at most ${longestMs}`);
}
