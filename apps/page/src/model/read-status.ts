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
import {
  type Fields,
  fields,
  flag,
  items,
  number,
  oneOf,
  optionalFlag,
  optionalNumber,
  optionalText,
  text,
} from "./fields.js";

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
    inUse: optionalText(given["inUse"]),
    inUseSince: optionalText(given["inUseSince"]),
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
    relayThreads: optionalNumber(given["relayThreads"]),
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
    secure: optionalFlag(given["secure"]),
    state: oneOf(given["state"], ["down", "up", "draining", "held", "foreign"]),
    hold: given["hold"] === "drained" || given["hold"] === "down" ? given["hold"] : undefined,
    inUse: flag(given["inUse"]),
    unhealthy: flag(given["unhealthy"]),
    since: text(given["since"]),
    reason: optionalText(given["reason"]),
    code: optionalText(given["code"]),
    retryAt: optionalText(given["retryAt"]),
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
    reason: optionalText(given["reason"]),
    note: optionalText(given["note"]),
  };
}

function facts(given: Fields): FactsView {
  return {
    clusterId: optionalText(given["clusterId"]),
    memberId: optionalText(given["memberId"]),
    leaderId: optionalText(given["leaderId"]),
    isLeader: optionalFlag(given["isLeader"]),
    isLearner: optionalFlag(given["isLearner"]),
    raftTerm: optionalNumber(given["raftTerm"]),
    version: optionalText(given["version"]),
    roundTripMs: optionalNumber(given["roundTripMs"]),
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
    limit: optionalNumber(given["limit"]),
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
    lastChange: optionalText(given["lastChange"]),
    lastRead: optionalText(given["lastRead"]),
    failedSince: optionalText(given["failedSince"]),
    reason: optionalText(given["reason"]),
    failures: number(given["failures"]),
  };
}

function health(given: Fields): HealthView {
  return {
    type: text(given["type"]),
    available: flag(given["available"]),
    reason: optionalText(given["reason"]),
    intervalMs: number(given["intervalMs"]),
    timeoutMs: number(given["timeoutMs"]),
  };
}

function identity(given: Fields): IdentityView {
  return {
    clusterId: optionalText(given["clusterId"]),
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
    openDescriptors: optionalNumber(given["openDescriptors"]),
    maxDescriptors: optionalNumber(given["maxDescriptors"]),
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
