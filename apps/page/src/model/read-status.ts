import type {
  CheckView,
  ConnectionCounts,
  EndpointView,
  FactsView,
  FailoverView,
  GatewayStatus,
  HealthView,
  IdentityView,
  OptionView,
  PanicView,
  ProcessView,
  SourceView,
  Status,
  TierView,
} from "@gw/admin";
import { type Fields, fields, flag, items, number, oneOf, text } from "./fields.js";

/**
 * A status from the gateway, which may be older or newer than this page: absent fields get values that show nothing,
 * unknown ones are left out.
 */
export function readStatus(value: unknown): Status {
  const given = fields(value);
  return {
    schema: 1,
    gateway: gateway(fields(given["gateway"])),
    ready: flag(given["ready"]),
    inUse: text(given["inUse"], undefined),
    inUseSince: text(given["inUseSince"], undefined),
    endpoints: items(given["endpoints"]).map(one => endpoint(fields(one))),
    tiers: items(given["tiers"]).map(one => tier(fields(one))),
    panic: optional(given["panic"], panic),
    lastFailover: optional(given["lastFailover"], failover),
    connections: connections(fields(given["connections"])),
    discovery: items(given["discovery"]).map(one => source(fields(one))),
    health: health(fields(given["health"])),
    identity: identity(fields(given["identity"])),
    process: processView(fields(given["process"])),
    options: items(given["options"]).map(one => option(fields(one))),
  };
}

function optional<View>(value: unknown, read: (given: Fields) => View): View | undefined {
  return typeof value === "object" && value !== null ? read(fields(value)) : undefined;
}

function gateway(given: Fields): GatewayStatus {
  return {
    version: text(given["version"]),
    node: text(given["node"]),
    pid: number(given["pid"]),
    state: oneOf(given["state"], ["serving", "starting", "draining"]),
    now: text(given["now"]),
    startedAt: text(given["startedAt"]),
    listen: items(given["listen"]).map(one => text(one)),
    relay: text(given["relay"]),
    relayThreads: number(given["relayThreads"], undefined),
    selector: text(given["selector"]),
    actions: flag(given["actions"]),
    logLevel: text(given["logLevel"]),
  };
}

function endpoint(given: Fields): EndpointView {
  const totals = fields(given["totals"]);
  return {
    endpoint: text(given["endpoint"]),
    priority: number(given["priority"]),
    weight: number(given["weight"]),
    secure: flag(given["secure"], undefined),
    state: oneOf(given["state"], ["down", "up", "draining", "held", "foreign"]),
    hold: given["hold"] === "drained" || given["hold"] === "down" ? given["hold"] : undefined,
    inUse: flag(given["inUse"]),
    unhealthy: flag(given["unhealthy"]),
    since: text(given["since"]),
    reason: text(given["reason"], undefined),
    code: text(given["code"], undefined),
    retryAt: text(given["retryAt"], undefined),
    connections: number(given["connections"]),
    waiting: number(given["waiting"]),
    longestWaitMs: number(given["longestWaitMs"]),
    check: optional(given["check"], check),
    facts: optional(given["facts"], facts),
    totals: {
      connected: number(totals["connected"]),
      closed: number(totals["closed"]),
      dialFailures: number(totals["dialFailures"]),
      bytesFromClient: number(totals["bytesFromClient"]),
      bytesFromBackend: number(totals["bytesFromBackend"]),
      dialMsSum: number(totals["dialMsSum"]),
    },
  };
}

function check(given: Fields): CheckView {
  return {
    type: text(given["type"]),
    at: text(given["at"]),
    tookMs: number(given["tookMs"]),
    healthy: flag(given["healthy"]),
    reason: text(given["reason"], undefined),
    note: text(given["note"], undefined),
  };
}

function facts(given: Fields): FactsView {
  return {
    clusterId: text(given["clusterId"], undefined),
    memberId: text(given["memberId"], undefined),
    leaderId: text(given["leaderId"], undefined),
    isLeader: flag(given["isLeader"], undefined),
    isLearner: flag(given["isLearner"], undefined),
    raftTerm: number(given["raftTerm"], undefined),
    version: text(given["version"], undefined),
    roundTripMs: number(given["roundTripMs"], undefined),
  };
}

function tier(given: Fields): TierView {
  return {
    priority: number(given["priority"]),
    endpoints: number(given["endpoints"]),
    up: number(given["up"]),
    inUse: flag(given["inUse"]),
  };
}

function panic(given: Fields): PanicView {
  return {
    cause: oneOf(given["cause"], ["all-down", "most-unhealthy", "cluster"]),
    since: text(given["since"]),
    reason: text(given["reason"]),
  };
}

function failover(given: Fields): FailoverView {
  return {
    at: text(given["at"]),
    from: text(given["from"]),
    to: text(given["to"]),
    reason: text(given["reason"]),
  };
}

function connections(given: Fields): ConnectionCounts {
  return {
    open: number(given["open"]),
    limit: number(given["limit"], undefined),
    accepted: number(given["accepted"]),
    refused: number(given["refused"]),
    unserved: number(given["unserved"]),
    closed: number(given["closed"]),
    waiting: number(given["waiting"]),
    longestWaitMs: number(given["longestWaitMs"]),
    dialBucketsMs: items(given["dialBucketsMs"]).map(one => number(one)),
    dialCounts: items(given["dialCounts"]).map(one => number(one)),
  };
}

function source(given: Fields): SourceView {
  return {
    source: text(given["source"]),
    endpoints: number(given["endpoints"]),
    lastChange: text(given["lastChange"], undefined),
    lastRead: text(given["lastRead"], undefined),
    failedSince: text(given["failedSince"], undefined),
    reason: text(given["reason"], undefined),
    failures: number(given["failures"]),
  };
}

function health(given: Fields): HealthView {
  return {
    type: text(given["type"]),
    available: flag(given["available"]),
    reason: text(given["reason"], undefined),
    intervalMs: number(given["intervalMs"]),
    timeoutMs: number(given["timeoutMs"]),
  };
}

function identity(given: Fields): IdentityView {
  return {
    clusterId: text(given["clusterId"], undefined),
    foreign: items(given["foreign"]).map(one => {
      const { endpoint: name, clusterId } = fields(one);
      return { endpoint: text(name), clusterId: text(clusterId) };
    }),
  };
}

function processView(given: Fields): ProcessView {
  return {
    rssBytes: number(given["rssBytes"]),
    heapBytes: number(given["heapBytes"]),
    cpuSeconds: number(given["cpuSeconds"]),
    openDescriptors: number(given["openDescriptors"], undefined),
    maxDescriptors: number(given["maxDescriptors"], undefined),
    eventLoopDelayMs: number(given["eventLoopDelayMs"]),
  };
}

function option(given: Fields): OptionView {
  return {
    flag: text(given["flag"]),
    value: text(given["value"]),
    from: oneOf(given["from"], ["default", "flag", "environment"]),
  };
}
