import type { EndpointView, RecordedEvent, Status } from "@gw/admin";

/** The time of the first status of a stub. */
const start = Date.parse("2026-11-29T08:00:00.000Z");

/** An endpoint that is up and not in use. */
export function endpoint(name: string, more: Partial<EndpointView> = {}): EndpointView {
  return {
    endpoint: name,
    priority: 0,
    weight: 0,
    state: "up",
    inUse: false,
    unhealthy: false,
    since: new Date(start - 3_600_000).toISOString(),
    connections: 0,
    waiting: 0,
    longestWaitMs: 0,
    check: { type: "etcd /readyz", at: new Date(start - 2_000).toISOString(), tookMs: 3.2, healthy: true },
    facts: {
      clusterId: "cdf818194e3a8c32",
      memberId: "8e9e05c52164694d",
      isLeader: false,
      isLearner: false,
      raftTerm: 4,
      version: "3.5.16",
      roundTripMs: 1.4,
    },
    totals: {
      connected: 0,
      closed: 0,
      dialFailures: 0,
      bytesFromClient: 0,
      bytesFromBackend: 0,
      dialMsSum: 0,
    },
    ...more,
  };
}

/** The status of a gateway with three members, the second of which is the leader, the first in use. */
export function status(more: Partial<Status> = {}, second = 0): Status {
  const now = start + second * 1_000;
  const totals = {
    connected: 3 + second,
    closed: 0,
    dialFailures: 0,
    bytesFromClient: 2_000 * second,
    bytesFromBackend: 90_000 * second + 40_000 * (second % 3),
    dialMsSum: 1.5 * second,
  };
  return {
    schema: 1,
    gateway: {
      version: "1.0.0",
      node: "v20.20.2",
      pid: 4711,
      state: "serving",
      now: new Date(now).toISOString(),
      startedAt: new Date(start - 86_400_000).toISOString(),
      listen: ["127.0.0.1:23790"],
      relay: "native",
      relayThreads: 2,
      selector: "sticky-random",
      actions: false,
      logLevel: "info",
    },
    ready: true,
    inUse: "10.0.1.10:2379",
    inUseSince: new Date(start - 7_200_000).toISOString(),
    endpoints: [
      endpoint("10.0.1.10:2379", { inUse: true, connections: 12 + (second % 4), totals }),
      endpoint("10.0.1.11:2379", {
        facts: {
          isLeader: true,
          memberId: "1a2b3c4d5e6f7081",
          raftTerm: 4,
          version: "3.5.16",
          roundTripMs: 0.9,
        },
      }),
      endpoint("10.0.1.12:2379"),
    ],
    tiers: [{ priority: 0, endpoints: 3, up: 3, inUse: true }],
    connections: {
      open: 12 + (second % 4),
      limit: 4_000,
      accepted: 300 + second,
      refused: 0,
      unserved: 0,
      closed: 288 + second,
      waiting: 0,
      longestWaitMs: 0,
      dialBucketsMs: [1, 2, 5, 10, 100, 1_000],
      dialCounts: [100, 200 + second, 300 + second, 300 + second, 300 + second, 300 + second],
    },
    discovery: [
      {
        source: "srv example.com",
        endpoints: 3,
        lastRead: new Date(now - 4_000).toISOString(),
        lastChange: new Date(start - 86_000_000).toISOString(),
        failures: 0,
      },
    ],
    health: { type: "auto", available: true, intervalMs: 10_000, timeoutMs: 2_000 },
    identity: { clusterId: "cdf818194e3a8c32", foreign: [] },
    process: {
      rssBytes: 61_000_000,
      heapBytes: 14_000_000,
      cpuSeconds: 12.5,
      openDescriptors: 48,
      maxDescriptors: 8_192,
      eventLoopDelayMs: 2.1,
    },
    options: [
      { flag: "discovery-srv", value: "example.com", from: "flag" },
      { flag: "retry-delay", value: "1m", from: "default" },
      { flag: "log-level", value: "info", from: "environment" },
    ],
    ...more,
  };
}

/** Endpoints in each state and role that a gateway knows. */
export const allStates: readonly EndpointView[] = [
  endpoint("10.0.1.10:2379", {
    inUse: true,
    unhealthy: true,
    connections: 3,
    waiting: 2,
    longestWaitMs: 4_200,
  }),
  endpoint("10.0.1.11:2379", { facts: { isLeader: true, raftTerm: 7 } }),
  endpoint("10.0.1.12:2379", {
    state: "down",
    reason: "connection refused",
    code: "refused",
    retryAt: new Date(start + 30_000).toISOString(),
    check: {
      type: "tcp",
      at: new Date(start).toISOString(),
      tookMs: 1,
      healthy: false,
      reason: "connection refused",
    },
  }),
  endpoint("10.0.1.13:2379", { state: "held", hold: "drained", priority: 1 }),
  endpoint("10.0.1.14:2379", { state: "held", hold: "down", secure: true }),
  endpoint("10.0.1.15:2379", { state: "draining", connections: 4, facts: undefined, check: undefined }),
  endpoint("10.0.1.16:2379", { state: "foreign", reason: "it belongs to cluster 2f" }),
  endpoint("10.0.1.17:2379", {
    facts: { isLearner: true, isLeader: false, version: "3.6.1" },
    secure: false,
  }),
];

/** An event of this text at the time of the status of that second. */
export function event(
  id: number,
  text: string,
  more: Partial<RecordedEvent> = {},
  second = 0,
): RecordedEvent {
  return { id, at: new Date(start + second * 1_000).toISOString(), event: "endpoint down", text, ...more };
}
