import {
  type Clock,
  type Endpoint,
  GatewayError,
  type Observer,
  type Selector,
  type Suspicion,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { stickyRandom } from "../policies/sticky-random.js";
import { bothObservers } from "../replay/both-observers.js";
import type { PoolRecording } from "../replay/recording.js";

/**
 * What happens to the open connections of an endpoint that gets no new ones:
 *
 * - `drain`: they may end by themselves for a while; then they are closed, spread over the second half of it
 * - `close`: they are closed now, spread over up to a second when there are many
 * - `leave`: they stay open
 */
export type DrainPolicy = "drain" | "close" | "leave";

/** Options of `createPool`. Times are in milliseconds, and at most 2³¹ − 1, what a timer of Node can wait for. */
export interface PoolOptions {
  /** The policy. @default stickyRandom() */
  readonly selector?: Selector | undefined;
  /**
   * How long a failed endpoint is down before it is tried again, less up to a half at random; more than 0. The delay
   * doubles with each further failure, until the endpoint has served for as long as the last delay. While all endpoints
   * are down it is 5 seconds at most, doubling up to 30.
   * @default 60000
   */
  readonly retryDelayMs?: number | undefined;
  /** The longest delay, without jitter; not less than `retryDelayMs`. @default 300000, or `retryDelayMs` if that is more */
  readonly maxRetryDelayMs?: number | undefined;
  /**
   * Tries an endpoint that is down: resolves if it can serve again, with the verdict of a health check if there was one;
   * rejects if not, or when `signal` is aborted. Without it an endpoint is up again after `retryDelayMs`.
   */
  readonly probe?: ((endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict | undefined>) | undefined;
  /**
   * If health checks have marked down more than this part of the endpoints of the priority in use, their verdicts are
   * ignored; 0 to 1. @default 0.5
   */
  readonly panicThreshold?: number | undefined;
  /**
   * An endpoint is suspected, and should be checked at once. Called synchronously from within the call that showed it.
   */
  readonly onSuspicion?: ((endpoint: Endpoint, why: Suspicion) => void) | undefined;
  /**
   * A client was connected to an endpoint. Called synchronously; it must be quick and change nothing of the pool.
   *
   * @param isRecovered whether the connection has shown that the endpoint, which was down, is up again
   */
  readonly onConnected?: ((endpoint: Endpoint, isRecovered: boolean) => void) | undefined;
  /**
   * Whether clients wait for the first `update`; otherwise they fail at once while there are no endpoints. @default false
   */
  readonly waitForEndpoints?: boolean | undefined;
  /** What happens to the open connections of an endpoint that is no longer in the set. @default "drain" */
  readonly onRemoved?: DrainPolicy | undefined;
  /** The same, of one that health checks marked down, while another endpoint is up. @default "close" */
  readonly onUnhealthy?: DrainPolicy | undefined;
  /** How long such connections may stay open under `drain`; more than 0. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
  /** Connections are closed at this age (±10 %) so that clients reconnect; 0 for never. @default 0 */
  readonly maxConnectionAgeMs?: number | undefined;
  /**
   * The part of all connections, 0 to 1, that may be closed in a minute so that clients reconnect: to the `target` of a
   * selector that has one, else to endpoints that have too few. Not for other policies that prefer one endpoint.
   * @default 0, or the selector's `targetRate`
   */
  readonly rebalance?: number | undefined;
  /** Whether the share of an endpoint is proportional to its SRV weight, as with weighted policies. @default false */
  readonly weighted?: boolean | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Records what decisions depend on, for a replay. @default none */
  readonly recording?: PoolRecording | undefined;
  /** Gets the events of endpoints. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Defaults of {@link PoolOptions}. */
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

/** Those that have no default. */
type Optional = "probe" | "onSuspicion" | "onConnected" | "observer" | "recording";

/** {@link PoolOptions} with all defaults filled in. */
export type PoolSettings = Pick<PoolOptions, Optional> & {
  readonly [Name in Exclude<keyof PoolOptions, Optional>]-?: NonNullable<PoolOptions[Name]>;
};

/** @throws {GatewayError} `invalid-option` if an option is out of its range */
export function poolSettings(options: PoolOptions): PoolSettings {
  const retryDelayMs = options.retryDelayMs ?? poolDefaults.retryDelayMs;
  const settings: PoolSettings = {
    selector: options.selector ?? stickyRandom(),
    retryDelayMs,
    maxRetryDelayMs: options.maxRetryDelayMs ?? Math.max(retryDelayMs, poolDefaults.maxRetryDelayMs),
    probe: options.probe,
    panicThreshold: options.panicThreshold ?? poolDefaults.panicThreshold,
    onSuspicion: options.onSuspicion,
    onConnected: options.onConnected,
    waitForEndpoints: options.waitForEndpoints ?? false,
    onRemoved: options.onRemoved ?? poolDefaults.onRemoved,
    onUnhealthy: options.onUnhealthy ?? poolDefaults.onUnhealthy,
    drainTimeoutMs: options.drainTimeoutMs ?? poolDefaults.drainTimeoutMs,
    maxConnectionAgeMs: options.maxConnectionAgeMs ?? poolDefaults.maxConnectionAgeMs,
    rebalance: options.rebalance ?? poolDefaults.rebalance,
    weighted: options.weighted ?? false,
    random: options.random ?? Math.random,
    recording: options.recording,
    observer: options.recording
      ? bothObservers(options.recording.observer, options.observer)
      : options.observer,
    clock: options.recording?.steady(options.clock ?? systemClock) ?? options.clock ?? systemClock,
  };
  for (const name of ["retryDelayMs", "maxRetryDelayMs", "drainTimeoutMs"] as const)
    checkDelay(name, settings[name]);
  if (settings.maxRetryDelayMs < retryDelayMs)
    throw invalid(`maxRetryDelayMs ${settings.maxRetryDelayMs} is less than retryDelayMs ${retryDelayMs}`);
  if (settings.maxConnectionAgeMs !== 0) checkDelay("maxConnectionAgeMs", settings.maxConnectionAgeMs);
  for (const name of ["panicThreshold", "rebalance"] as const) checkPart(name, settings[name]);
  checkPart("targetRate", settings.selector.targetRate ?? 0);
  return settings;
}

function checkDelay(option: string, ms: number): void {
  if (!(ms > 0 && ms <= longestMs))
    throw invalid(`${option} ${ms} is not more than 0 and at most ${longestMs}`);
}

function checkPart(option: string, part: number): void {
  if (!(part >= 0 && part <= 1)) throw invalid(`${option} ${part} is not between 0 and 1`);
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
