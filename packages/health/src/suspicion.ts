import type { Suspicion } from "@gw/interface";
import type { CheckedEndpoint } from "./checked-endpoint.js";

/** The least time between the beginnings of two checks of a suspect, in milliseconds. */
const suspectMs = 1_000;
/** The same if its checks are uninformative, and may leave errors in its log. */
const uninformativeSuspectMs = 10_000;
/**
 * The least time between the beginnings of two checks that stalls cause, in milliseconds, unless it is undecided whether the
 * endpoint is healthy: requests that block for long stall as well.
 */
const stallMs = 10_000;

/** `one` is suspected: it is checked as soon as the limits allow. */
export function suspect(one: CheckedEndpoint, why: Suspicion, now: number, fall: number): void {
  // Only a stall can be over before the check.
  if (one.suspicion === undefined || one.suspicion === "stalled") one.suspicion = why;
  if (why === "stalled") one.clients.stalledAt = now;
  one.soonAt = Math.min(one.soonAt, earliestCheckAt(one, why, fall));
}

function earliestCheckAt(one: CheckedEndpoint, why: Suspicion, fall: number): number {
  const { startedAt = -Infinity, failures, uninformative } = one;
  if (uninformative) return startedAt + uninformativeSuspectMs;
  const isUndecided = failures > 0 && failures < fall;
  return why === "stalled" && !isUndecided ? one.stallCheckedAt + stallMs : startedAt + suspectMs;
}
