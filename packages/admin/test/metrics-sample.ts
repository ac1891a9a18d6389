import { type Endpoint, GatewayError } from "@gw/interface";
import {
  createTotals,
  type EndpointView,
  type MetricsSource,
  type Status,
  type Totals,
} from "../src/index.js";

/** An endpoint of the set with this number: `10.0.0.1:2379`. */
export function endpointOf(number: number): Endpoint {
  return { host: `10.0.${number >> 8}.${number & 255}`, port: 2379, priority: 0, weight: 0 };
}

export const refused: GatewayError = new GatewayError("refused", "connection refused");

/** Fields of `closed` and `unserved` that no count depends on. */
export const client = { listener: "127.0.0.1:2379", tries: 1, durationMs: 5 } as const;

/** Each event once. Endpoints 1 to 3 are in the set. */
export function causeAll(totals: Totals): void {
  const { observer } = totals;
  const [one, two, three] = [endpointOf(1), endpointOf(2), endpointOf(3)];
  observer.discovered?.({
    source: "srv example.com",
    why: "",
    added: [one, two, three],
    removed: [],
    changed: [],
  });
  observer.discoveryFailed?.({ source: "file /etc/gw.yaml", error: refused });
  observer.poolChanged?.({ added: [one, two, three], removed: [] });
  observer.connected?.({ connection: 1, endpoint: one, address: one, dialMs: 3 });
  observer.stalled?.({ connection: 1, endpoint: one, waitedMs: 400 });
  observer.closed?.({
    ...client,
    connection: 1,
    endpoint: one,
    dialMs: 3,
    reason: "client-failed",
    error: refused,
    waitedMs: 700,
    bytesFromClient: 10,
    bytesFromBackend: 20,
  });
  observer.dialFailed?.({ connection: 2, endpoint: two, error: refused });
  observer.endpointDown?.({ endpoint: two, error: refused, retryInMs: 1_000 });
  observer.endpointStillDown?.({ endpoint: two, error: refused, retryInMs: 1_000 });
  observer.closingConnections?.({ endpoint: two, connections: 3, withinMs: 1_000, error: refused });
  observer.recyclingConnections?.({ endpoint: one, connections: 2, cause: "age" });
  observer.failover?.({ from: two, to: one, why: "connection refused" });
  observer.panic?.({ cause: "all-down", endpoints: [two], error: refused });
  observer.selectorFailed?.({ error: refused });
  observer.unserved?.({ ...client, connection: 2, error: refused });
  observer.limitReached?.({ limit: 100 });
  observer.acceptFailed?.({ error: refused });
  observer.checked?.({
    endpoint: one,
    depth: "regular",
    tookMs: 2,
    verdict: { check: "etcd /readyz", scope: "endpoint" },
  });
  observer.checked?.({
    endpoint: two,
    depth: "deep",
    tookMs: 2_000,
    verdict: { check: "etcd /health", scope: "endpoint", error: refused },
  });
  observer.clusterIdentified?.({
    clusterId: "c2",
    reason: "rebuilt",
    isProvisional: false,
    members: [one],
    foreign: [],
    from: "c1",
  });
  observer.wrongCluster?.({
    clusterId: "c2",
    members: [one],
    foreign: [{ endpoint: three, clusterId: "c3", alternations: 0 }],
    isAnyUsed: true,
  });
}

/** Endpoint 1 is up and in use, 2 is down, 3 belongs to another cluster; all that can be known is known. */
export function fullSource(
  totals: Totals = createTotals(() => Date.parse("2026-01-01T00:00:01Z")),
): MetricsSource {
  causeAll(totals);
  const endpoints: readonly EndpointView[] = [
    viewOf(1, {
      inUse: true,
      connections: 2,
      waiting: 1,
      longestWaitMs: 750,
      totals: { ...totals.endpoint("10.0.0.1:2379"), bytesFromClient: 15 },
    }),
    viewOf(2, { state: "down", code: "refused", reason: "connection refused", unhealthy: true }),
    viewOf(3, { state: "foreign", code: "wrong-cluster" }),
  ];
  return { status: statusOf(endpoints), totals, eventsRecorded: 12 };
}

export function viewOf(number: number, fields: Partial<EndpointView> = {}): EndpointView {
  return {
    endpoint: `${endpointOf(number).host}:2379`,
    priority: 0,
    weight: 0,
    state: "up",
    inUse: false,
    unhealthy: false,
    since: "2026-01-01T00:00:00Z",
    connections: 0,
    waiting: 0,
    longestWaitMs: 0,
    facts: {
      clusterId: "c2",
      memberId: "ab",
      isLeader: true,
      isLearner: false,
      raftTerm: 4,
      version: "3.5.21",
      roundTripMs: 0.5,
    },
    totals: {
      connected: 0,
      closed: 0,
      dialFailures: 0,
      bytesFromClient: 0,
      bytesFromBackend: 0,
      dialMsSum: 0,
    },
    ...fields,
  };
}

export function statusOf(endpoints: readonly EndpointView[]): Status {
  const time = "2026-01-01T00:00:00Z";
  return {
    schema: 1,
    gateway: {
      version: "1.2.3",
      node: "20.19.0",
      pid: 1,
      state: "serving",
      now: time,
      startedAt: time,
      listen: ["127.0.0.1:2379"],
      relay: "native",
      selector: "first",
      actions: false,
      logLevel: "info",
    },
    ready: true,
    endpoints,
    tiers: [],
    panic: { cause: "all-down", since: time, reason: "connection refused" },
    connections: {
      open: 2,
      limit: 100,
      accepted: 4,
      refused: 1,
      unserved: 1,
      closed: 1,
      waiting: 1,
      longestWaitMs: 750,
      dialBucketsMs: [],
      dialCounts: [],
    },
    discovery: [
      { source: "srv example.com", endpoints: 3, lastChange: time, lastRead: time, failures: 0 },
      { source: "file /etc/gw.yaml", endpoints: 0, failures: 1, failedSince: time, reason: "no such file" },
    ],
    health: { type: "auto", available: true, intervalMs: 5_000, timeoutMs: 1_000 },
    identity: { clusterId: "c2", foreign: [{ endpoint: "10.0.0.3:2379", clusterId: "c3" }] },
    process: {
      rssBytes: 60_000_000,
      heapBytes: 9_000_000,
      cpuSeconds: 1.5,
      openDescriptors: 20,
      maxDescriptors: 1_024,
      eventLoopDelayMs: 11,
    },
    options: [],
  };
}
