import type { EndpointView } from "../contract/status.js";
import type { Family } from "./family.js";
import { timestamp } from "./time.js";

/** The state of the endpoints of the set. Those beyond the bound on series are in `gw_endpoints` only. */
export const endpointFamilies: readonly Family[] = [
  {
    name: "gw_endpoints",
    type: "gauge",
    help: "Endpoints by state and the code of the reason; the code is empty for those that are up",
    labels: ["state", "reason"],
    collect({ status }, add) {
      const counts = new Map<string, number>([
        ["up\n", 0],
        ["down\n", 0],
        ["draining\n", 0],
        ["held\n", 0],
        ["foreign\n", 0],
      ]);
      for (const { state, code = "" } of status.endpoints) {
        const key = `${state}\n${code}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const [key, count] of counts) add(count, key.split("\n"));
    },
  },
  {
    name: "gw_endpoint_series_limited",
    type: "gauge",
    help: "Endpoints without series of their own because there are too many; the endpoint other has their counters",
    collect: ({ status, shown }, add) => add(status.endpoints.length - shown.length),
  },
  ofEach("gw_endpoint_up", "1 if the endpoint gets new connections", one => Number(one.state === "up")),
  ofEach("gw_endpoint_unhealthy", "1 if the newest health checks of the endpoint failed", one =>
    Number(one.unhealthy),
  ),
  ofEach("gw_endpoint_in_use", "1 for the endpoint of the newest connection", one => Number(one.inUse)),
  ofEach("gw_endpoint_since_timestamp_seconds", "Since when the endpoint has its state", one =>
    timestamp(one.since),
  ),
  ofEach(
    "gw_endpoint_priority",
    "The SRV priority of the endpoint; a lower number is tried first",
    one => one.priority,
  ),
  ofEach(
    "gw_connections_open",
    "Connections to the endpoint that are open or being dialled",
    one => one.connections,
  ),
  ofEach(
    "gw_waiting_clients",
    "Clients that have been waiting for an answer for longer than the stall timeout",
    one => one.waiting,
  ),
  ofEach(
    "gw_longest_wait_seconds",
    "For how long the client has waited that waits longest; 0 if none waits",
    one => one.longestWaitMs / 1_000,
  ),
  ofEach("gw_endpoint_is_leader", "1 if the endpoint is the leader of the cluster", ({ facts }) =>
    facts?.isLeader === undefined ? undefined : Number(facts.isLeader),
  ),
  ofEach("gw_endpoint_is_learner", "1 if the endpoint is a learner", ({ facts }) =>
    facts?.isLearner === undefined ? undefined : Number(facts.isLearner),
  ),
  ofEach("gw_endpoint_raft_term", "The raft term that the endpoint reports", ({ facts }) => facts?.raftTerm),
  ofEach(
    "gw_endpoint_round_trip_seconds",
    "From a request of the newest health check to its response",
    ({ facts }) => (facts?.roundTripMs === undefined ? undefined : facts.roundTripMs / 1_000),
  ),
  {
    name: "gw_endpoint_info",
    type: "info",
    help: "What the endpoint reports of itself",
    labels: ["endpoint", "version", "cluster_id", "member_id"],
    collect({ shown }, add) {
      for (const { endpoint, facts } of shown)
        if (facts) add(1, [endpoint, facts.version ?? "", facts.clusterId ?? "", facts.memberId ?? ""]);
    },
  },
];

function ofEach(name: string, help: string, value: (one: EndpointView) => number | undefined): Family {
  return {
    name,
    type: "gauge",
    help,
    labels: ["endpoint"],
    collect({ shown }, add) {
      for (const one of shown) add(value(one), [one.endpoint]);
    },
  };
}
