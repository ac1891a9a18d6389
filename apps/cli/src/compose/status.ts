import {
  type ConnectionCounts,
  durationBoundsMs,
  type EndpointView,
  type FactsView,
  type GatewayStatus,
  type HealthView,
  type OptionView,
  type Status,
  type TierView,
  type Totals,
} from "@gw/admin";
import { type Endpoint, type EndpointStatus, formatAddress, systemClock } from "@gw/interface";
import type { EndpointPool } from "@gw/selector";
import type { TcpProxy } from "@gw/tcpproxy";
import { type Hold, type Holds, heldAs } from "./holds.js";
import type { ProcessWatch } from "./process-view.js";
import type { StatusTracker } from "./status-tracker.js";

/** What a status is put together from. */
export interface StatusSources {
  readonly pool: EndpointPool;
  readonly proxy: TcpProxy;
  readonly holds: Holds;
  readonly totals: Totals;
  readonly tracker: StatusTracker;
  readonly watch: ProcessWatch;
  readonly options: readonly OptionView[];
  readonly gateway: () => Omit<GatewayStatus, "now" | "listen">;
  readonly health: () => HealthView;
  /** A client that waits for longer than this is counted as waiting, in milliseconds. */
  readonly stallTimeoutMs: number;
}

/** What open connections add up to. */
interface OpenSums {
  waiting: number;
  longestWaitMs: number;
  bytesFromClient: number;
  bytesFromBackend: number;
}

/** The state of the gateway now. Takes time that grows with its endpoints and open connections. */
export function buildStatus(sources: StatusSources): Status {
  const { pool, proxy, tracker, watch, options } = sources;
  const open = sumOpen(proxy, sources.stallTimeoutMs);
  const statuses = pool.inspect();
  const endpoints = endpointViews(statuses, open.byEndpoint, sources);
  const inUse = statuses.find(one => one.inUse);
  const listen = proxy.addresses.map(listenName);
  return {
    schema: 1,
    gateway: { ...sources.gateway(), now: isoTime(Date.now()), listen },
    ready: listen.length > 0 && endpoints.some(({ state }) => state === "up"),
    ...(inUse && { inUse: formatAddress(inUse.endpoint), inUseSince: tracker.inUseSince }),
    endpoints,
    tiers: tiersOf(statuses),
    ...(tracker.panic && { panic: tracker.panic }),
    ...(tracker.lastFailover && { lastFailover: tracker.lastFailover }),
    connections: connectionCounts(sources, open.all),
    discovery: tracker.sources,
    health: sources.health(),
    identity: {
      clusterId: tracker.clusterId,
      foreign: tracker.foreign.map(({ endpoint, clusterId }) => ({
        endpoint: formatAddress(endpoint),
        clusterId,
      })),
    },
    process: watch.view(),
    options,
  };
}

function listenName(target: TcpProxy["addresses"][number]): string {
  return formatAddress(target);
}

function connectionCounts({ proxy, totals }: StatusSources, all: OpenSums): ConnectionCounts {
  return {
    open: proxy.connections,
    ...(Number.isFinite(proxy.maxConnections) && { limit: proxy.maxConnections }),
    accepted: proxy.accepted,
    refused: proxy.refused,
    unserved: totals.unserved,
    closed: totals.closed,
    waiting: all.waiting,
    longestWaitMs: all.longestWaitMs,
    dialBucketsMs: durationBoundsMs,
    dialCounts: totals.dials.cumulated(),
  };
}

function sumOpen(
  proxy: TcpProxy,
  stallTimeoutMs: number,
): { readonly all: OpenSums; readonly byEndpoint: ReadonlyMap<Endpoint, OpenSums> } {
  const all = noneOpen();
  const byEndpoint = new Map<Endpoint, OpenSums>();
  for (const connection of proxy.openConnections()) {
    const { endpoint, waitingMs = 0 } = connection;
    if (!endpoint) continue;
    const sums = byEndpoint.get(endpoint) ?? noneOpen();
    byEndpoint.set(endpoint, sums);
    const isWaiting = stallTimeoutMs > 0 && waitingMs >= stallTimeoutMs;
    for (const one of [all, sums]) {
      if (isWaiting) one.waiting += 1;
      one.longestWaitMs = Math.max(one.longestWaitMs, Math.round(waitingMs));
      one.bytesFromClient += connection.bytesFromClient;
      one.bytesFromBackend += connection.bytesFromBackend;
    }
  }
  return { all, byEndpoint };
}

function noneOpen(): OpenSums {
  return { waiting: 0, longestWaitMs: 0, bytesFromClient: 0, bytesFromBackend: 0 };
}

/** In the order of the set; then those that are draining, those that are held, and those of other clusters. */
function endpointViews(
  statuses: readonly EndpointStatus[],
  open: ReadonlyMap<Endpoint, OpenSums>,
  sources: StatusSources,
): readonly EndpointView[] {
  const openByName = new Map<string, OpenSums>();
  for (const [endpoint, sums] of open) {
    const name = formatAddress(endpoint);
    const known = openByName.get(name);
    openByName.set(name, known ? added(known, sums) : sums);
  }
  const { tracker, holds, totals } = sources;
  const leaders = leadersOf(statuses);
  const draining = new Map<string, EndpointStatus>();
  const views: EndpointView[] = [];
  const viewOf = (status: EndpointStatus, more: Partial<EndpointView> = {}): EndpointView => {
    const name = formatAddress(status.endpoint);
    const sums = openByName.get(name) ?? noneOpen();
    const counts = totals.endpoint(name);
    const check = tracker.check(name);
    const { priority, weight, secure } = status.endpoint;
    return {
      endpoint: name,
      priority,
      weight,
      ...(secure !== undefined && { secure }),
      state: status.state,
      inUse: status.inUse,
      unhealthy: status.unhealthy,
      since: isoTime(wallOf(status.since)),
      ...(status.error && { reason: status.error.detail, code: status.error.code }),
      ...(status.retryAt !== undefined && { retryAt: isoTime(wallOf(status.retryAt)) }),
      connections: status.connections,
      waiting: sums.waiting,
      longestWaitMs: sums.longestWaitMs,
      ...(check && { check }),
      ...(status.facts && { facts: factsView(status.facts, leaders) }),
      totals: {
        ...counts,
        bytesFromClient: counts.bytesFromClient + sums.bytesFromClient,
        bytesFromBackend: counts.bytesFromBackend + sums.bytesFromBackend,
      },
      ...more,
    };
  };
  for (const status of statuses) {
    const name = formatAddress(status.endpoint);
    if (status.state === "draining" && holds.get(name)) draining.set(name, status);
    else views.push(viewOf(status));
  }
  for (const hold of holds.all) {
    const name = formatAddress(hold.endpoint);
    views.push(viewOf(draining.get(name) ?? outside(hold.endpoint, hold.facts), heldView(hold)));
  }
  for (const { endpoint, clusterId, since } of tracker.foreign) {
    if (holds.get(formatAddress(endpoint))) continue;
    const reason = `it is a member of another cluster, ${clusterId}`;
    views.push(
      viewOf(outside(endpoint), { state: "foreign", since: isoTime(since), reason, code: "wrong-cluster" }),
    );
  }
  return views;
}

function heldView({ kind, since }: Hold): Partial<EndpointView> {
  const reason = `${heldAs[kind]} by an operator`;
  return { state: "held", hold: kind, since: isoTime(since), reason, code: "aborted" };
}

/** The status of an endpoint that the pool does not have. */
function outside(endpoint: Endpoint, facts?: EndpointStatus["facts"]): EndpointStatus {
  return {
    endpoint,
    state: "draining",
    unhealthy: false,
    inUse: false,
    connections: 0,
    since: systemClock.now(),
    ...(facts && { facts }),
  };
}

function added(one: OpenSums, other: OpenSums): OpenSums {
  return {
    waiting: one.waiting + other.waiting,
    longestWaitMs: Math.max(one.longestWaitMs, other.longestWaitMs),
    bytesFromClient: one.bytesFromClient + other.bytesFromClient,
    bytesFromBackend: one.bytesFromBackend + other.bytesFromBackend,
  };
}

/** The leader of each cluster, by what the newest term says. */
function leadersOf(statuses: readonly EndpointStatus[]): ReadonlyMap<string, string> {
  const newest = new Map<string, { readonly term: number; readonly leader: string }>();
  for (const { facts, state } of statuses) {
    if (!facts?.leaderId || state !== "up") continue;
    const { clusterId = "", leaderId, raftTerm = 0 } = facts;
    if ((newest.get(clusterId)?.term ?? -1) < raftTerm)
      newest.set(clusterId, { term: raftTerm, leader: leaderId });
  }
  return new Map([...newest].map(([cluster, { leader }]) => [cluster, leader]));
}

function factsView(
  facts: NonNullable<EndpointStatus["facts"]>,
  leaders: ReadonlyMap<string, string>,
): FactsView {
  const leader = leaders.get(facts.clusterId ?? "");
  const isLeader = facts.memberId === undefined || !leader ? undefined : facts.memberId === leader;
  return { ...facts, ...(isLeader !== undefined && { isLeader }) };
}

function tiersOf(statuses: readonly EndpointStatus[]): readonly TierView[] {
  const tiers = new Map<number, { -readonly [field in keyof TierView]: TierView[field] }>();
  for (const { endpoint, state, inUse } of statuses) {
    if (state === "draining") continue;
    const { priority } = endpoint;
    const tier = tiers.get(priority) ?? { priority, endpoints: 0, up: 0, inUse: false };
    tier.endpoints += 1;
    if (state === "up") tier.up += 1;
    tier.inUse ||= inUse;
    tiers.set(priority, tier);
  }
  return [...tiers.values()].sort((one, other) => one.priority - other.priority);
}

/** The time of day of a time on the pool's clock, in milliseconds since 1970. */
function wallOf(ms: number): number {
  return Date.now() - (systemClock.now() - ms);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
