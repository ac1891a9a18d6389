import {
  type Address,
  type Endpoint,
  formatAddress,
  type GatewayError,
  type HealthObserver,
  type Observer,
} from "@gw/interface";
import { formatDuration } from "../flags/duration.js";
import type { EventLog } from "./event-log.js";

/**
 * Logs what happens to endpoints at info and warn, and what happens to each connection at debug.
 *
 * @param levelMayChange whether events that are not logged now may be logged later @default false
 */
export function logObserver(
  log: EventLog,
  { levelMayChange = false }: { readonly levelMayChange?: boolean | undefined } = {},
): Observer & HealthObserver {
  return {
    ignoresClients: true,
    ...discoveryEvents(log),
    ...failoverEvents(log),
    ...identityEvents(log),
    ...connectionEvents(log),
    // Events that are frequent and rarely logged: without a listener they cost nothing.
    ...((levelMayChange || log.isEnabled("health check")) && eachCheck(log)),
    ...((levelMayChange || log.isEnabled("accepted")) && eachConnection(log)),
  };
}

function discoveryEvents(log: EventLog): Observer {
  return {
    discovered({ source, why, added, removed, changed }) {
      log.write("endpoints changed", {
        source,
        reason: why,
        added: namesOf(added),
        removed: namesOf(removed),
        ...(changed.length > 0 && { changed: namesOf(changed, withShare) }),
      });
    },
    discoveryFailed({ source, error, ageMs }) {
      const lastGood = ageMs === undefined ? undefined : `${formatDuration(ageMs)} ago`;
      // Without a trusted endpoint the set is empty: no last good set bridges this failure.
      const level = error.code === "untrusted" ? "error" : "warn";
      log.write("discovery failed", { source, reason: error.detail, lastGood }, level);
    },
    discoveryRecovered({ source, failedMs }) {
      log.write("discovery recovered", { source, failedFor: formatDuration(failedMs) });
    },
    unsecured({ source, why }) {
      log.write("discovery unsecured", { source, reason: why });
    },
    endpointRejected({ source, endpoint, error }) {
      log.write("endpoint rejected", { source, ...failureOf(endpoint, error) });
    },
    endpointUnreachable({ source, endpoint, error }) {
      log.write("endpoint unreachable", { source, ...failureOf(endpoint, error) });
    },
  };
}

function failoverEvents(log: EventLog): Observer & HealthObserver {
  return {
    poolChanged({ added, removed }) {
      if (log.isEnabled("pool changed"))
        log.write("pool changed", { added: namesOf(added), removed: namesOf(removed) });
    },
    endpointDown({ endpoint, error, retryInMs }) {
      log.write("endpoint down", { ...failureOf(endpoint, error), retryIn: retryIn(retryInMs) });
    },
    endpointStillDown({ endpoint, error, retryInMs }) {
      log.write("endpoint still down", { ...failureOf(endpoint, error), retryIn: retryIn(retryInMs) });
    },
    endpointUp({ endpoint, downMs }) {
      log.write("endpoint up", { endpoint: formatAddress(endpoint), downFor: formatDuration(downMs) });
    },
    checkTypeChanged({ endpoint, check, note }) {
      log.write("health check type", { endpoint: formatAddress(endpoint), check, note });
    },
    failover({ from, to, why }) {
      log.write("failover", { from: formatAddress(from), to: formatAddress(to), reason: why });
    },
    panic({ cause, endpoints, error }) {
      log.write("panic", { cause, endpoints: namesOf(endpoints), reason: error.detail });
    },
    panicOver({ panicMs }) {
      log.write("panic over", { lasted: formatDuration(panicMs) });
    },
    closingConnections({ endpoint, connections, withinMs, error }) {
      log.write("closing connections", {
        endpoint: formatAddress(endpoint),
        connections,
        within: formatDuration(withinMs),
        reason: error.detail,
      });
    },
    recyclingConnections({ endpoint, connections, cause }) {
      const reason = recyclingCauses[cause];
      log.write("recycling connections", { endpoint: formatAddress(endpoint), connections, reason });
    },
    selectorFailed({ error }) {
      log.write("selector failed", { reason: error.detail });
    },
  };
}

function identityEvents(log: EventLog): HealthObserver {
  return {
    clusterIdentified({ clusterId, reason: basis, isProvisional, members, foreign, from }) {
      const of = { clusterId, members: namesOf(members) };
      if (basis === "rebuilt")
        return log.write("cluster rebuilt", { ...of, former: from, reason: identityReasons.rebuilt });
      const level = basis === "first" || from !== undefined ? "warn" : "info";
      const reason = isProvisional ? `${identityReasons[basis]}, of few so far` : identityReasons[basis];
      log.write(
        "cluster identified",
        { ...of, reason, ...(foreign.length > 0 && { others: byCluster(foreign) }) },
        level,
      );
    },
    clusterUnknown({ endpoints }) {
      const reason = "they answer, and cannot tell their cluster; they are used";
      log.write("cluster unknown", { endpoints: namesOf(endpoints), reason });
    },
    wrongCluster({ clusterId, members, foreign, isAnyUsed }) {
      const alternating = foreign
        .filter(({ alternations }) => alternations > 1)
        .map(({ endpoint }) => endpoint);
      const reason = [
        "the endpoints belong to different clusters; only members of one are used",
        ...(isAnyUsed ? [] : ["no endpoint is left"]),
        ...(alternating.length > 0
          ? [
              `${namesOf(alternating).join(", ")} leads to one and to another, as a load balancer in front of both does`,
            ]
          : []),
      ].join("; ");
      const of = { clusterId, members: namesOf(members), others: byCluster(foreign), reason };
      log.write("wrong cluster", of, isAnyUsed ? "warn" : "error");
    },
    wrongClusterOver({ clusterId, lastedMs }) {
      log.write("wrong cluster over", { clusterId, lasted: formatDuration(lastedMs) });
    },
  };
}

const identityReasons = {
  pinned: "it is the one that --cluster-id names",
  remembered: "it is the one that was used before",
  majority: "most endpoints that told their cluster belong to it",
  first: "the endpoints disagree and none has a majority; a member of this cluster answered first",
  rebuilt: "all endpoints that answer have told this new id for longer than --cluster-id-hold",
} as const;

/** `ID: host:port, host:port` for each cluster. */
function byCluster(
  foreign: readonly { readonly endpoint: Endpoint; readonly clusterId: string }[],
): readonly string[] {
  const clusters = new Map<string, Endpoint[]>();
  for (const { endpoint, clusterId } of foreign) {
    const endpoints = clusters.get(clusterId);
    if (endpoints) endpoints.push(endpoint);
    else clusters.set(clusterId, [endpoint]);
  }
  return [...clusters].slice(0, maxNamed).map(([id, endpoints]) => `${id}: ${namesOf(endpoints).join(", ")}`);
}

const recyclingCauses = {
  age: "they are older than --max-connection-age",
  balance: "other endpoints carry too few",
  policy: "the policy prefers another endpoint",
} as const;

function connectionEvents(log: EventLog): Observer {
  return {
    limitReached({ limit }) {
      log.write("connection limit reached", { limit });
    },
    listenSkipped({ address, error }) {
      log.write("listen address skipped", { address: formatAddress(address), reason: error.detail });
    },
    acceptFailed({ error }) {
      log.write("accept failed", { reason: error.detail });
    },
    unserved({ connection, error }) {
      log.write("unserved", { connection, reason: error.detail });
      log.write("client unserved", { reason: error.detail });
    },
    dialFailed({ connection, endpoint, error }) {
      log.write("dial failed", { connection, ...failureOf(endpoint, error) });
      if (error.code === "self-loop") log.write("self dial", failureOf(endpoint, error));
    },
  };
}

function eachConnection(log: EventLog): Observer {
  return {
    accepted({ connection, client }) {
      if (!log.isEnabled("accepted")) return;
      log.write("accepted", { connection, client: formatAddress(client) });
    },
    connected({ connection, endpoint, address, dialMs }) {
      if (!log.isEnabled("connected")) return;
      log.write("connected", {
        connection,
        endpoint: formatAddress(endpoint),
        address: formatAddress(address),
        dialMs: round(dialMs),
      });
    },
    closed({ connection, endpoint, reason: end, error, bytesFromClient, bytesFromBackend }) {
      if (!log.isEnabled("closed")) return;
      log.write("closed", {
        connection,
        endpoint: formatAddress(endpoint),
        end,
        reason: error?.detail,
        bytesFromClient,
        bytesFromBackend,
      });
    },
  };
}

function eachCheck(log: EventLog): HealthObserver {
  return {
    checked({ endpoint, verdict: { check, error, note }, tookMs }) {
      if (!log.isEnabled("health check")) return;
      log.write("health check", {
        endpoint: formatAddress(endpoint),
        check,
        note,
        reason: error?.detail,
        tookMs: round(tookMs),
      });
    },
  };
}

function failureOf(
  endpoint: Endpoint,
  { detail }: GatewayError,
): { readonly endpoint: string; readonly reason: string } {
  return { endpoint: formatAddress(endpoint), reason: detail };
}

function retryIn(ms: number): string {
  return ms > 0 ? formatDuration(ms) : "checked now";
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function withShare(endpoint: Endpoint): string {
  return `${formatAddress(endpoint)} priority ${endpoint.priority} weight ${endpoint.weight}`;
}

/** How many endpoints one line of the log names. */
const maxNamed = 20;

/** `host:port` of each, for a line of the log; of thousands the first 20, and how many more there are. */
export function namesOf<Of extends Address>(
  endpoints: readonly Of[],
  nameOf: (endpoint: Of) => string = formatAddress,
): readonly string[] {
  const names = endpoints.slice(0, maxNamed).map(nameOf);
  const more = endpoints.length - names.length;
  return more > 0 ? [...names, `and ${more} more`] : names;
}
