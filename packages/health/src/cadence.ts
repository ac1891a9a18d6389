import type { Endpoint, EndpointStatus } from "@gw/interface";
import type { Due } from "./due-heap.js";
import { futilePerHour } from "./verdict.js";

/** What is known of the looks at one endpoint. Times are in milliseconds on the clock of the checks. */
export interface Watch extends Due {
  endpoint: Endpoint;
  /** Whether it takes new connections. */
  up: boolean;
  /** When the newest look began; undefined before the first. */
  startedAt: number | undefined;
  /** The look that is under way. It never rejects. */
  running: Promise<void> | undefined;
  /** Gives up the look that is under way, when the endpoint is no longer looked at. */
  readonly ending: AbortController;
  /** When the newest look began that found nothing wrong. */
  wellAt: number;
  /** When another was found to be well while this one was not, since when that has been so; Infinity if it is not. */
  aloneSince: number;
  /** Whether the newest look learnt next to nothing, as the next one would. */
  futile: boolean;
  /** Looks in a row that found something wrong. */
  failures: number;
  /** When to look at the latest, whatever the cadence says. */
  soonAt: number;
  /** Whether somebody waits for the next look: there is reason to doubt the endpoint, or another one. */
  suspected: boolean;
  /** Whether it is the endpoint in use, or the one to which clients would go next. */
  next: boolean;
  /** Whether it matters as much as those, but there may be many of them: a dial has set it aside. */
  near: boolean;
  /** Failed looks in a row that counted for nothing, since this process was paused meanwhile. */
  voided: number;
  /** Which heap it waits in; see {@link urgencyOf}. */
  urgency: number;
  /** The part of the cadence to wait for, so that endpoints are not looked at in step. */
  jitter: number;
}

/** How often endpoints are looked at. */
export interface Cadence {
  /** Between two looks at what is in use, at the next best, and at what was not well, in milliseconds. */
  readonly intervalMs: number;
  /** Between two looks at the others. */
  readonly farMs: number;
  /** Between two looks while it is not yet clear whether an endpoint is ill. */
  readonly fastMs: number;
}

/** The others are looked at once in this many intervals, */
const intervalsPerFarLook = 6;
/** but at least once in this time, in milliseconds. */
const longestFarMs = 60_000;

export function cadenceOf(intervalMs: number): Cadence {
  return {
    intervalMs,
    farMs: Math.max(intervalMs, Math.min(intervalMs * intervalsPerFarLook, longestFarMs)),
    fastMs: Math.min(intervalMs, 1_000),
  };
}

/**
 * Whether an endpoint is looked at: it takes connections, or a dial has set it aside and the connections that it still
 * has may hang.
 */
export function isWatched({ state, unhealthy, connections }: EndpointStatus): boolean {
  return state === "up" || (state === "down" && !unhealthy && connections > 0);
}

/**
 * The one of those that are up and not in use, of the best priority, to which clients would go next.
 */
export function nextBest(watched: readonly EndpointStatus[]): EndpointStatus | undefined {
  let best: EndpointStatus | undefined;
  for (const one of watched)
    if (one.state === "up" && !one.inUse && !(best && best.endpoint.priority <= one.endpoint.priority))
      best = one;
  return best;
}

/** Between two looks that learn next to nothing, in milliseconds. */
const futileMs = 3_600_000 / futilePerHour;

/** When to look next. Never later than the cadence says: what must be found in time is found in time. */
export function dueAt(watch: Watch, { intervalMs, farMs }: Cadence): number {
  if (watch.startedAt === undefined) return watch.soonAt;
  const usualMs = watch.near || watch.failures > 0 ? intervalMs : farMs;
  const everyMs = watch.futile ? Math.max(usualMs, futileMs) : usualMs;
  return Math.min(watch.soonAt, watch.startedAt + everyMs * watch.jitter);
}

/**
 * How many looks may be under way when one of this urgency begins: at most 32 in all, since each takes a descriptor or
 * two that clients need as well. What matters less leaves places for what matters more, so that endpoints that hang, for
 * each of which the probe's whole timeout passes, do not hold up the others.
 */
export const mostAtOnce: readonly number[] = [32, 28, 24, 16];

/**
 * Which looks come first when not all that are due can be made: 0 the endpoint in use and the next best; 1 those that
 * are suspected, and those that a dial has set aside; 2 those that were well when they were last looked at; 3 the rest.
 */
export function urgencyOf(watch: Watch): number {
  if (watch.next) return 0;
  if (watch.suspected || watch.near) return 1;
  return watch.failures === 0 && watch.wellAt > -Infinity ? 2 : 3;
}

/** A watch on an endpoint, at which one looks for the first time at `soonAt`. */
export function beginWatch(endpoint: Endpoint, soonAt: number): Watch {
  return {
    endpoint,
    up: true,
    startedAt: undefined,
    wellAt: -Infinity,
    aloneSince: Infinity,
    running: undefined,
    ending: new AbortController(),
    futile: false,
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
