import type { Status } from "@gw/admin";
import { plural } from "./format.js";

/** How the cluster is, in one sentence, and how bad that is. */
export interface Summary {
  readonly level: "good" | "warning" | "bad";
  readonly text: string;
  /** What else to know, as sentences. */
  readonly details: readonly string[];
}

export function summarize(status: Status): Summary {
  const { endpoints, gateway, panic, connections } = status;
  const members = endpoints.filter(({ state }) => state !== "draining" && state !== "foreign");
  const up = members.filter(({ state }) => state === "up").length;
  const details = [...problems(status)];
  const all = `${up} of ${plural(members.length, "endpoint")} up`;
  if (gateway.state === "draining")
    return { level: "warning", text: "The gateway is draining: it accepts no new clients.", details };
  if (gateway.state === "starting") return { level: "warning", text: "The gateway is starting.", details };
  if (members.length === 0) return { level: "bad", text: "The gateway has no endpoints.", details };
  if (panic) return { level: "bad", text: panicText[panic.cause], details };
  if (up === 0) return { level: "bad", text: "No endpoint is up.", details };
  if (connections.waiting > 0)
    return {
      level: "warning",
      text: `${plural(connections.waiting, "client")} ${connections.waiting === 1 ? "waits" : "wait"} for an answer; ${all}.`,
      details,
    };
  if (up < members.length || details.length > 0)
    return { level: "warning", text: `Serving clients; ${all}.`, details };
  return { level: "good", text: `Serving clients; ${all}.`, details };
}

const panicText = {
  "all-down": "Panic: all endpoints are down; clients try them anyway.",
  "most-unhealthy": "Panic: most endpoints are unhealthy; health state is ignored.",
  cluster: "Panic: the cluster itself is unhealthy; no failover.",
} as const;

function* problems(status: Status): Iterable<string> {
  const { panic, health, identity, discovery, connections } = status;
  if (panic?.reason) yield sentence(panic.reason);
  for (const { source, failedSince, reason } of discovery)
    if (failedSince) yield `Discovery of ${source} fails${reason ? `: ${reason}` : ""}.`;
  if (identity.foreign.length > 0)
    yield `${plural(identity.foreign.length, "endpoint belongs", "endpoints belong")} to another cluster and get no clients.`;
  if (health.type !== "" && health.type !== "off" && !health.available)
    yield `Health checks are not available${health.reason ? `: ${health.reason}` : ""}.`;
  if (connections.limit !== undefined && connections.open >= connections.limit)
    yield `The limit of ${plural(connections.limit, "connection")} is reached.`;
}

function sentence(clause: string): string {
  const text = clause.charAt(0).toUpperCase() + clause.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
