import type { EndpointView, Status } from "@gw/admin";
import { clean, latency, rate, since } from "./format.js";
import type { Style } from "./line.js";
import type { Rates } from "./rates.js";
import { latencyOf } from "./sort.js";

/** A column of the table of endpoints. */
export interface Column {
  readonly title: string;
  /** Whether numbers are aligned at the right. */
  readonly right?: boolean;
  /** Columns with a higher number go first where the screen is narrow; 0 stays. */
  readonly rank: number;
  /** The widest that it gets, in columns of the terminal. */
  readonly most: number;
  cell(view: EndpointView, status: Status, rates: Rates | undefined): string;
  style?(view: EndpointView): Style | undefined;
}

/** All, from left to right. */
export const columns: readonly Column[] = [
  { title: "", rank: 0, most: 1, cell: ({ inUse }) => (inUse ? ">" : " ") },
  { title: "ENDPOINT", rank: 0, most: 40, cell: ({ endpoint }) => clean(endpoint) },
  { title: "STATE", rank: 0, most: 10, cell: stateOf, style: stateStyle },
  { title: "ROLE", rank: 4, most: 8, cell: roleOf },
  { title: "CONN", right: true, rank: 1, most: 8, cell: ({ connections }) => String(connections) },
  { title: "WAIT", right: true, rank: 5, most: 6, cell: ({ waiting }) => String(waiting), style: waitStyle },
  {
    title: "FROM CL.",
    right: true,
    rank: 3,
    most: 10,
    cell: ({ endpoint }, _, rates) => rate(rates?.endpoints.get(endpoint)?.fromClients),
  },
  {
    title: "TO CL.",
    right: true,
    rank: 2,
    most: 10,
    cell: ({ endpoint }, _, rates) => rate(rates?.endpoints.get(endpoint)?.toClients),
  },
  {
    title: "LATENCY",
    right: true,
    rank: 6,
    most: 8,
    cell: view => (latencyOf(view) < 0 ? "–" : latency(latencyOf(view))),
  },
  {
    title: "SINCE",
    right: true,
    rank: 7,
    most: 7,
    cell: (view, { gateway }) => since(view.since, gateway.now),
  },
  { title: "REASON", rank: 8, most: 200, cell: reasonOf },
];

function stateOf({ state, hold, unhealthy }: EndpointView): string {
  if (state === "held") return hold === "down" ? "held down" : "drained";
  return state === "up" && unhealthy ? "unhealthy" : clean(state);
}

function stateStyle({ state, unhealthy }: EndpointView): Style | undefined {
  if (state === "down") return "red";
  if (state === "up") return unhealthy ? "yellow" : "green";
  return "yellow";
}

function waitStyle({ waiting }: EndpointView): Style | undefined {
  return waiting > 0 ? "yellow" : undefined;
}

function roleOf({ facts }: EndpointView): string {
  if (!facts) return "";
  if (facts.isLeader === true) return "leader";
  return facts.isLearner === true ? "learner" : facts.memberId === undefined ? "" : "follower";
}

function reasonOf({ reason, check }: EndpointView): string {
  return clean(reason ?? (check?.healthy === false ? (check.reason ?? "") : ""));
}
