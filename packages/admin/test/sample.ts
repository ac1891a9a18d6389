import type { AdminGateway, EndpointView, RecordedEvent, Status } from "@gw/admin";

/** A status with every field, also the optional ones. */
export function sampleStatus(overrides: Partial<Status> = {}): Status {
  return {
    schema: 1,
    gateway: {
      version: "1.2.3",
      node: "v20.19.0",
      pid: 42,
      state: "serving",
      now: "2026-11-29T08:00:00.000Z",
      startedAt: "2026-11-29T07:00:00.000Z",
      listen: ["127.0.0.1:2379"],
      relay: "native",
      relayThreads: 2,
      selector: "sticky-random",
      actions: true,
      logLevel: "info",
    },
    ready: true,
    inUse: "10.0.0.1:2379",
    inUseSince: "2026-11-29T07:00:01.000Z",
    endpoints: [
      sampleEndpoint("10.0.0.1:2379"),
      { ...sampleEndpoint("10.0.0.2:2379"), state: "held", hold: "drained", inUse: false },
    ],
    tiers: [{ priority: 0, endpoints: 2, up: 1, inUse: true }],
    panic: { cause: "most-unhealthy", since: "2026-11-29T07:30:00.000Z", reason: "2 of 3 are unhealthy" },
    lastFailover: {
      at: "2026-11-29T07:20:00.000Z",
      from: "10.0.0.2:2379",
      to: "10.0.0.1:2379",
      reason: "connection refused",
    },
    connections: {
      open: 3,
      limit: 1000,
      accepted: 10,
      refused: 0,
      unserved: 1,
      closed: 6,
      waiting: 1,
      longestWaitMs: 12,
      dialBucketsMs: [1, 10],
      dialCounts: [4, 8, 9],
    },
    discovery: [
      {
        source: "srv example.com",
        endpoints: 2,
        lastChange: "2026-11-29T07:00:00.000Z",
        lastRead: "2026-11-29T07:59:00.000Z",
        failedSince: "2026-11-29T07:59:30.000Z",
        reason: "timed out",
        failures: 1,
      },
    ],
    health: { type: "etcd", available: false, reason: "none", intervalMs: 10_000, timeoutMs: 3_000 },
    identity: { clusterId: "cdf818194e3a8c32", foreign: [{ endpoint: "10.0.9.1:2379", clusterId: "1" }] },
    process: {
      rssBytes: 50_000_000,
      heapBytes: 10_000_000,
      cpuSeconds: 1.5,
      openDescriptors: 30,
      maxDescriptors: 1024,
      eventLoopDelayMs: 1.25,
    },
    options: [{ flag: "discovery-srv", value: "example.com", from: "flag" }],
    ...overrides,
  };
}

export function sampleEndpoint(endpoint: string): EndpointView {
  return {
    endpoint,
    priority: 0,
    weight: 1,
    secure: false,
    state: "up",
    inUse: true,
    unhealthy: false,
    since: "2026-11-29T07:00:00.000Z",
    reason: "connection refused",
    code: "refused",
    retryAt: "2026-11-29T08:00:05.000Z",
    connections: 3,
    waiting: 1,
    longestWaitMs: 12,
    check: {
      type: "etcd status",
      at: "2026-11-29T07:59:59.000Z",
      tookMs: 2,
      healthy: false,
      reason: "no leader",
      note: "status is not served",
    },
    facts: {
      clusterId: "cdf818194e3a8c32",
      memberId: "1",
      leaderId: "1",
      isLeader: true,
      isLearner: false,
      raftTerm: 7,
      version: "3.5.17",
      roundTripMs: 0.7,
    },
    totals: {
      connected: 9,
      closed: 6,
      dialFailures: 2,
      bytesFromClient: 1000,
      bytesFromBackend: 2000,
      dialMsSum: 12.5,
    },
  };
}

export function sampleEvent(id: number): RecordedEvent {
  return {
    id,
    at: "2026-11-29T08:00:00.000Z",
    event: "endpoint down",
    endpoint: "10.0.0.2:2379",
    text: `Event ${id}.`,
  };
}

/** A gateway that shows the sample. */
export function sampleGateway(overrides: Partial<AdminGateway> = {}): AdminGateway {
  return {
    status: () => sampleStatus(),
    connections: ({ after, limit, endpoint }) => ({
      schema: 1,
      connections: [
        {
          connection: after + 1,
          client: "10.1.1.1:5000",
          listener: "127.0.0.1:2379",
          endpoint,
          state: "connected",
          ageMs: limit,
          bytesFromClient: 1,
          bytesFromBackend: 2,
        },
      ],
      total: 1,
    }),
    events: () => ({ schema: 1, events: [1, 2, 3].map(sampleEvent), dropped: 0 }),
    onEvent: () => () => {},
    metrics: format => `# format ${format}\ngw_up 1\n`,
    ...overrides,
  };
}
