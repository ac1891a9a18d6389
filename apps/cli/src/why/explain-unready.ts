import type { EndpointView } from "@gw/admin";
import { wasConnected } from "../admin/was-connected.js";
import type { Known } from "./explanation.js";

/** How many endpoints are named at most. */
const maxNamed = 5;

/** That no endpoint can be used now, with the reason of each, and what happens to clients; empty if one can be used. */
export function explainUnready(known: Known): readonly string[] {
  const { status } = known;
  const { endpoints, panic, gateway } = status;
  if (status.ready) return [];
  if (endpoints.some(({ state }) => state === "up"))
    return gateway.state === "serving" ? [] : [`The gateway is ${gateway.state}.`, ""];
  const reasons = endpoints.slice(0, maxNamed).map(reasonOf);
  const left = endpoints.length - reasons.length;
  const listed = [...reasons, ...(left > 0 ? [`${left} more (${countsOf(endpoints)})`] : [])];
  return [
    `No endpoint can be used now: ${listed.join("; ") || "the gateway has none"}.`,
    ...(panic?.cause === "all-down"
      ? ["Endpoints that are down are tried for each client all the same."]
      : []),
    ...turnedAway(known),
    "",
  ];
}

/** Which endpoint new connections use, where none is in use now. */
export function explainUnused({ status }: Known): readonly string[] {
  if (wasConnected(status))
    // Without one that is up, the first sentence says it.
    return status.endpoints.some(({ state }) => state === "up")
      ? ["The endpoint of the newest connection is no longer used."]
      : [];
  return [
    status.connections.accepted === 0
      ? "No client has been connected yet."
      : "No client has been connected to an endpoint yet.",
  ];
}

function reasonOf({ endpoint, state, hold, reason }: EndpointView): string {
  const because = reason === undefined ? "" : `: ${reason}`;
  switch (state) {
    case "held":
      return `${endpoint} is ${hold === "down" ? "marked down" : "drained"} by an operator`;
    case "draining":
      return `${endpoint} is no longer an endpoint`;
    case "foreign":
      return `${endpoint} belongs to another cluster`;
    case "up":
    case "down":
      return `${endpoint} is ${state}${because}`;
  }
}

const stateNames = {
  up: "up",
  down: "down",
  draining: "no longer endpoints",
  held: "drained or marked down by an operator",
  foreign: "of another cluster",
} as const;

/** `2000 in all: 1990 down, 10 of another cluster`. */
function countsOf(endpoints: readonly EndpointView[]): string {
  const counts = new Map<EndpointView["state"], number>();
  for (const { state } of endpoints) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${stateNames[state]}`);
  return `${endpoints.length} in all: ${parts.join(", ")}`;
}

function turnedAway({ status, answer, time }: Known): readonly string[] {
  const { unserved } = status.connections;
  const newest = answer.events.findLast(({ event }) => event === "unserved");
  if (unserved === 0 && !newest) return [];
  const count = Math.max(unserved, newest?.count ?? 1);
  const last = newest ? `, the last known at ${time.short(newest.lastAt ?? newest.at)}` : "";
  return [
    `Clients are turned away: ${count === 1 ? "1 client was" : `${count} clients were`} closed without an endpoint since the start${last}.`,
  ];
}
