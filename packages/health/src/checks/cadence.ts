import { backoffMs, type EndpointActivity } from "@gw/interface";
import { uninformativePerHour } from "../defaults.js";
import type { CheckedEndpoint } from "./checked-endpoint.js";
import type { Role } from "./roles.js";

/** How often endpoints are checked. Times are in milliseconds. */
export interface Cadence {
  /** Between two checks of an endpoint of a role, if its clients do not make them unnecessary. */
  readonly everyMs: { readonly [role in Role]: number };
  /** An endpoint whose clients make checks unnecessary is checked this often all the same, for what it says of itself. */
  readonly refreshMs: number;
  /** Between two checks while a client waits. */
  readonly waitingMs: number;
  /** Between two checks while it is undecided whether an endpoint is unhealthy. */
  readonly fastMs: number;
  /** How long an endpoint counts as serving after its last client. */
  readonly servedMs: number;
  /** Consecutive failures that are reported as one. */
  readonly fall: number;
}

/** Per role, how many intervals are between two checks, and the most time that these may be, in milliseconds. */
const candidateCadence = { intervals: 24, longestMs: 240_000 };
const idleCadence = { intervals: 60, longestMs: 600_000 };
const refreshCadence = { intervals: 12, longestMs: 120_000 };
/** While a client waits, its endpoint is checked at least this often, in milliseconds. */
const longestWaitingMs = 10_000;
/** For this many intervals an endpoint counts as serving after its last client. */
const servedIntervals = 2;

/**
 * Up to this part of a wait is taken off at random, or added while a client waits. So neither endpoints nor gateways are in
 * step, and the budget of a waiting client is kept.
 */
const jitterPart = 0.1;
/** The same of the wait after the first check: gateways that start together are out of step from then on. */
const firstJitterPart = 0.9;

/** How often an endpoint is checked that goes on to fail, if that has no consequence because no other is healthier. */
const failing = { maxMs: 30_000, jitter: 0.5 };

/** @param intervalMs between two checks of an endpoint with clients */
export function cadenceOf(intervalMs: number, fall: number): Cadence {
  const every = ({ intervals, longestMs }: { readonly intervals: number; readonly longestMs: number }) =>
    Math.max(intervalMs, Math.min(intervalMs * intervals, longestMs));
  return {
    everyMs: { serving: intervalMs, candidate: every(candidateCadence), idle: every(idleCadence) },
    refreshMs: every(refreshCadence),
    waitingMs: Math.min(intervalMs, longestWaitingMs),
    fastMs: Math.min(intervalMs, 1_000),
    servedMs: intervalMs * servedIntervals,
    fall,
  };
}

/** The jitter of the wait after a check. */
export function jitterOf(isFirstCheck: boolean, random: () => number): number {
  return 1 - random() * (isFirstCheck ? firstJitterPart : jitterPart);
}

/** How long to wait before an endpoint is checked again that has failed so many consecutive checks. */
export function failingMs(failures: number, { fall, fastMs }: Cadence, random: () => number): number {
  const beyond = Math.max(1, failures - fall + 1);
  return backoffMs(beyond, { baseMs: fastMs, ...failing, random });
}

/** Between two checks that learn next to nothing, in milliseconds. */
const uninformativeMs = 3_600_000 / uninformativePerHour;

/** When the next check is due, if clients do not make it unnecessary. */
export function dueAt(one: CheckedEndpoint, cadence: Cadence): number {
  const { startedAt, soonAt, clients, failures, jitter, role } = one;
  if (startedAt === undefined) return soonAt;
  const everyMs = cadence.everyMs[role];
  let usualAt: number;
  if (one.uninformative) usualAt = startedAt + Math.max(everyMs, uninformativeMs) * jitter;
  else if (failures > 0) usualAt = startedAt + one.failingMs;
  else if (clients.stalledAt !== undefined) usualAt = startedAt + cadence.waitingMs * (2 - jitter);
  else if (role !== "serving") usualAt = startedAt + everyMs * jitter;
  else {
    const answeredAt = Math.max(startedAt, clients.answeredAt);
    usualAt = Math.min(answeredAt + everyMs * jitter, refreshDueAt(one, cadence));
  }
  return Math.min(soonAt, usualAt);
}

/** When an endpoint is checked for what it says of itself, whatever its clients show. */
function refreshDueAt({ startedAt = -Infinity, jitter }: CheckedEndpoint, cadence: Cadence): number {
  return startedAt + cadence.refreshMs * jitter;
}

/**
 * Whether an endpoint that is due has to be checked. Otherwise its clients show as much as a check would, and its next check
 * is due later.
 *
 * @param ask what clients see of it; asked only if that can make the check unnecessary
 */
export function isCheckNeeded(
  one: CheckedEndpoint,
  ask: () => EndpointActivity | undefined,
  now: number,
  cadence: Cadence,
): boolean {
  const { clients, deep } = one;
  if (one.startedAt === undefined || one.failures > 0) return true;
  if (clients.stalledAt !== undefined) {
    const activity = ask();
    if (activity ? clients.isStalled(activity, now) : one.suspicion === "stalled") return true;
    clients.stalledAt = undefined;
    // A client that gave up waits no more, and what it has shown still has to be checked.
    if (one.suspicion !== "abandoned") deep.cancel();
    if (one.suspicion === "stalled") Object.assign(one, { suspicion: undefined, soonAt: Infinity });
  }
  if (one.soonAt <= now) return true;
  const mayBeShown = one.role === "serving" && !one.uninformative && !deep.isDue(now);
  if (mayBeShown && refreshDueAt(one, cadence) > now) {
    const activity = ask();
    if (activity) clients.evaluate(activity, now);
  }
  return dueAt(one, cadence) <= now;
}
