import type { EndpointStatus } from "@gw/interface";

/**
 * What an endpoint is to clients, which decides how often it is checked:
 *
 * - `serving`: it has clients now, or had some a moment ago
 * - `candidate`: it has none and is among those that get the next ones
 * - `idle`: neither
 */
export type Role = "serving" | "candidate" | "idle";

/**
 * Whether an endpoint is checked: it takes connections, or a dial has marked it down and the connections that it still has
 * may hang.
 */
export function isChecked({ state, unhealthy, connections }: EndpointStatus): boolean {
  return state === "up" || (state === "down" && !unhealthy && connections > 0);
}

/** How many endpoints without clients are kept fresh, because the next clients may go there. */
const maxCandidates = 2;

/** The endpoints without clients to which clients would go next: the one in use, and those up of the best priority. */
export function nextCandidates(checked: readonly EndpointStatus[]): readonly EndpointStatus[] {
  const candidates: EndpointStatus[] = [];
  for (const one of checked) {
    if (one.state !== "up" || one.connections > 0) continue;
    const place = candidates.findIndex(other => isBefore(one, other));
    if (place >= 0) candidates.splice(place, 0, one);
    else if (candidates.length < maxCandidates) candidates.push(one);
    candidates.length = Math.min(candidates.length, maxCandidates);
  }
  return candidates;
}

function isBefore(one: EndpointStatus, other: EndpointStatus): boolean {
  if (one.inUse !== other.inUse) return one.inUse;
  return one.endpoint.priority < other.endpoint.priority;
}
