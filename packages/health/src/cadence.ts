import type { Endpoint, EndpointStatus } from "@gw/interface";
import { uninformativePerHour } from "./defaults.js";
import type { Due } from "./due-heap.js";

/** The state of the checks of one endpoint. Times are in milliseconds on the clock of the checks. */
export interface Watch extends Due {
  endpoint: Endpoint;
  /** Whether it takes new connections. */
  up: boolean;
  /** When the newest check began; undefined before the first. */
  startedAt: number | undefined;
  /** The check that is under way. It never rejects. */
  running: Promise<void> | undefined;
  /** Aborted when the endpoint is no longer checked. */
  readonly ending: AbortController;
  /** When the newest check began that succeeded. */
  healthyAt: number;
  /** Since when another endpoint has been healthy while this one was not; Infinity if that is not so. */
  anotherHealthySince: number;
  /** Whether the newest check learnt next to nothing, as the next one would. */
  uninformative: boolean;
  /** Consecutive checks that failed. */
  failures: number;
  /** When to check at the latest, whatever the cadence is. */
  soonAt: number;
  /** Whether there is reason to suspect the endpoint, or another one depends on its next check. */
  suspected: boolean;
  /** Whether it is the endpoint in use, or the next best. */
  next: boolean;
  /** Whether it is checked as often as those: it is one of them, or a dial has marked it down, and there may be many. */
  near: boolean;
  /** Consecutive failures that did not count, since this process was paused meanwhile. */
  voided: number;
  /** Which heap it waits in; see {@link urgencyOf}. */
  urgency: number;
  /** The part of the cadence to wait for, so that endpoints are not checked in step. */
  jitter: number;
}

/** How often endpoints are checked. */
export interface Cadence {
  /** Between two checks of the endpoint in use, the next best, and those that failed, in milliseconds. */
  readonly intervalMs: number;
  /** Between two checks of the others. */
  readonly farMs: number;
  /** Between two checks while it is undecided whether an endpoint is unhealthy. */
  readonly fastMs: number;
}

/** The others are checked once in this many intervals, */
const intervalsPerFarCheck = 6;
/** but at least once in this time, in milliseconds. */
const longestFarMs = 60_000;

export function cadenceOf(intervalMs: number): Cadence {
  return {
    intervalMs,
    farMs: Math.max(intervalMs, Math.min(intervalMs * intervalsPerFarCheck, longestFarMs)),
    fastMs: Math.min(intervalMs, 1_000),
  };
}

/**
 * Whether an endpoint is checked: it takes connections, or a dial has marked it down and the connections that it still has
 * may hang.
 */
export function isWatched({ state, unhealthy, connections }: EndpointStatus): boolean {
  return state === "up" || (state === "down" && !unhealthy && connections > 0);
}

/** The endpoint to which clients would go next: it is up, not in use, and of the best priority. */
export function nextBest(watched: readonly EndpointStatus[]): EndpointStatus | undefined {
  let best: EndpointStatus | undefined;
  for (const one of watched)
    if (one.state === "up" && !one.inUse && !(best && best.endpoint.priority <= one.endpoint.priority))
      best = one;
  return best;
}

/** Between two checks that learn next to nothing, in milliseconds. */
const uninformativeMs = 3_600_000 / uninformativePerHour;

/** When the next check is due. Jitter only makes it earlier, so that failures are detected in time. */
export function dueAt(watch: Watch, { intervalMs, farMs }: Cadence): number {
  if (watch.startedAt === undefined) return watch.soonAt;
  const usualMs = watch.near || watch.failures > 0 ? intervalMs : farMs;
  const everyMs = watch.uninformative ? Math.max(usualMs, uninformativeMs) : usualMs;
  return Math.min(watch.soonAt, watch.startedAt + everyMs * watch.jitter);
}

/**
 * How many checks may be under way when one of this urgency begins: at most 32 in all, since each takes a descriptor or
 * two that clients need as well. Less urgent checks leave room for more urgent ones, so that endpoints that hang, each of
 * which takes the probe's whole timeout, do not delay the others.
 */
export const maxConcurrent: readonly number[] = [32, 28, 24, 16];

/**
 * Which checks come first when not all that are due can be made: 0 the endpoint in use and the next best; 1 those that
 * are suspected, and those that a dial has marked down; 2 those whose last check succeeded; 3 the rest.
 */
export function urgencyOf(watch: Watch): number {
  if (watch.next) return 0;
  if (watch.suspected || watch.near) return 1;
  return watch.failures === 0 && watch.healthyAt > -Infinity ? 2 : 3;
}

/** The state of an endpoint whose first check is due at `soonAt`. */
export function createWatch(endpoint: Endpoint, soonAt: number): Watch {
  return {
    endpoint,
    up: true,
    startedAt: undefined,
    healthyAt: -Infinity,
    anotherHealthySince: Infinity,
    running: undefined,
    ending: new AbortController(),
    uninformative: false,
    failures: 0,
    soonAt,
    suspected: false,
    next: false,
    near: false,
    voided: 0,
    urgency: 3,
    jitter: 1,
    due: soonAt,
    place: -1,
  };
}
