import type { Suspicion } from "@gw/interface";
import type { CheckedEndpoint } from "./checked-endpoint.js";

/** The least time between the beginnings of two checks of a suspect, in milliseconds. */
const suspectMs = 1_000;
/** The same if its checks are uninformative, and may leave errors in its log. */
const uninformativeSuspectMs = 10_000;
/**
 * The least time between the beginnings of two checks that waits of clients cause, in milliseconds, unless it is undecided
 * whether the endpoint is healthy: requests that block for long, and are given up, are waits as well.
 */
const stallMs = 10_000;

/** The least time between two checks because connections that were open for long have ended, in milliseconds. */
const endedMs = 60_000;

/** Whether a client waits, or has waited, for longer than it would have to for an endpoint that is healthy. */
export function isWait(why: Suspicion | undefined): boolean {
  return why === "stalled" || why === "abandoned";
}

/** `one` is suspected: it is checked as soon as the limits allow. */
export function suspect(one: CheckedEndpoint, why: Suspicion, now: number, fall: number): void {
  // That is no suspicion yet: it causes a regular check, which costs nothing else.
  if (why === "ended") {
    checkAfterEnd(one, now);
    return;
  }
  // Only a stall can be over before the check.
  if (one.suspicion === undefined || one.suspicion === "stalled") one.suspicion = why;
  if (why === "stalled") one.clients.stalledAt = now;
  one.soonAt = Math.min(one.soonAt, earliestCheckAt(one, why, fall));
}

function checkAfterEnd(one: CheckedEndpoint, now: number): void {
  // If another check came first, the one that is due later was not made yet.
  const isDue = one.endedCheckAt > now;
  const at = isDue ? one.endedCheckAt : Math.max(now, one.endedCheckAt + endedMs);
  if (one.uninformative || one.soonAt <= at) return;
  one.soonAt = at;
  one.endedCheckAt = at;
}

function earliestCheckAt(one: CheckedEndpoint, why: Suspicion, fall: number): number {
  const { startedAt = -Infinity, failures, uninformative } = one;
  if (uninformative) return startedAt + uninformativeSuspectMs;
  const isUndecided = failures > 0 && failures < fall;
  return isWait(why) && !isUndecided ? one.stallCheckedAt + stallMs : startedAt + suspectMs;
}
