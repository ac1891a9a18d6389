import { formatAddress, type HealthObserver, type Observer } from "@gw/interface";
import type { EndpointTotals } from "../contract/status.js";
import { createLabelledCounts, type LabelledCounts } from "./counts.js";
import { createEndpointRecords, type EndpointRecords, endReasons } from "./endpoints.js";
import { createHistogram, type Histogram } from "./histogram.js";

/** The upper limits of the buckets of dials and checks, in milliseconds. */
export const durationBoundsMs: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
];
/** The same for how long clients waited, in milliseconds. */
const waitBoundsMs: readonly number[] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/**
 * Different sources, check types or error codes that are counted apart; a gateway has fewer than twenty of each. Checks have
 * two depths and two results.
 */
const maxLabels = 64;

/** What dials fail with, and what endpoints are marked down for, mostly: shown from the start, so that rates see the first. */
const dialCodes = ["refused", "unreachable", "timed-out", "reset", "name-not-resolved", "untrusted"] as const;
const closingCodes = [
  "unhealthy",
  "refused",
  "unreachable",
  "timed-out",
  "wrong-cluster",
  "aborted",
] as const;
const panicCauses = ["all-down", "most-unhealthy", "cluster"] as const;
const recycleCauses = ["age", "balance", "policy"] as const;

/** What is known of a source of endpoints from its events. */
export interface SourceTotals {
  /** Sets that differ from the one before, the first one included. */
  readonly changes: number;
  /** Failures as they are reported: once until it can be read again or fails for another reason. */
  readonly failures: number;
  /** Milliseconds since 1970 (UTC). Absent before the first set. */
  readonly lastChangeAt?: number | undefined;
  /** Milliseconds since 1970 (UTC). Absent unless it cannot be read now. */
  readonly failedSince?: number | undefined;
}

/** What a gateway did since it started. All counts only grow. */
export interface Totals {
  /** Feeds them. It ignores the addresses of clients. */
  readonly observer: Observer & HealthObserver;
  /** Without the bytes of open connections. All 0 for an endpoint that is unknown or was forgotten. */
  endpoint(name: string): EndpointTotals;
  source(name: string): SourceTotals;
  readonly connected: number;
  readonly closed: number;
  readonly unserved: number;
  readonly refused: number;
  readonly failovers: number;
  readonly selectorFailures: number;
  /** Failed accepts that the operating system reported. */
  readonly acceptFailures: number;
  /** Endpoints that began to belong to another cluster than the accepted one. */
  readonly clusterMismatches: number;
  /** How often another cluster was accepted instead of the one before. */
  readonly clusterChanges: number;
  /** From accept to connection, in milliseconds. */
  readonly dials: Histogram;
  /** For how long clients that gave up had waited for an answer, in milliseconds. */
  readonly abandonedWaits: Histogram;
  /** In milliseconds, by depth. */
  readonly checkDurations: { readonly regular: Histogram; readonly deep: Histogram };
  /** By type, depth and result (`healthy`, `unhealthy`). */
  readonly checks: LabelledCounts<readonly [check: string, depth: string, result: string]>;
  /** By code of the error. */
  readonly dialErrors: LabelledCounts<readonly [code: string]>;
  readonly panics: LabelledCounts<readonly [cause: string]>;
  /** Connections that were closed because their endpoint was removed or marked down, by code of the error. */
  readonly closing: LabelledCounts<readonly [code: string]>;
  readonly recycled: LabelledCounts<readonly [cause: string]>;
  readonly endpoints: EndpointRecords;
}

/** @param now the time of day, in milliseconds since 1970 (UTC) */
export function createTotals(now: () => number = Date.now): Totals {
  const endpoints = createEndpointRecords();
  const sources = new Map<string, { -readonly [field in keyof SourceTotals]: SourceTotals[field] }>();
  const dials = createHistogram(durationBoundsMs);
  const abandonedWaits = createHistogram(waitBoundsMs);
  const checkDurations = {
    regular: createHistogram(durationBoundsMs),
    deep: createHistogram(durationBoundsMs),
  };
  const checks = createLabelledCounts<readonly [string, string, string]>(4 * maxLabels);
  const dialErrors = createLabelledCounts<readonly [string]>(maxLabels, dialCodes.map(one));
  const panics = createLabelledCounts<readonly [string]>(maxLabels, panicCauses.map(one));
  const closing = createLabelledCounts<readonly [string]>(maxLabels, closingCodes.map(one));
  const recycled = createLabelledCounts<readonly [string]>(maxLabels, recycleCauses.map(one));
  const sums = {
    connected: 0,
    closed: 0,
    unserved: 0,
    refused: 0,
    failovers: 0,
    selectorFailures: 0,
    acceptFailures: 0,
    clusterMismatches: 0,
    clusterChanges: 0,
  };
  let foreign: ReadonlySet<string> = new Set();

  function sourceOf(name: string): { -readonly [field in keyof SourceTotals]: SourceTotals[field] } {
    let source = sources.get(name);
    if (!source) {
      source = { changes: 0, failures: 0 };
      if (sources.size < maxLabels) sources.set(name, source);
    }
    return source;
  }

  const observer: Observer & HealthObserver = {
    ignoresClients: true,
    discovered({ source }) {
      const one = sourceOf(source);
      one.changes++;
      one.lastChangeAt = now();
      one.failedSince = undefined;
    },
    discoveryFailed({ source }) {
      const one = sourceOf(source);
      one.failures++;
      one.failedSince ??= now();
    },
    discoveryRecovered({ source }) {
      sourceOf(source).failedSince = undefined;
    },
    poolChanged({ added, removed }) {
      // Removed ones first: an endpoint that has another priority may be in both.
      for (const endpoint of removed) endpoints.removed(endpoint);
      for (const endpoint of added) endpoints.added(endpoint);
    },
    endpointDown({ endpoint }) {
      endpoints.of(endpoint).counts.markedDown++;
    },
    endpointStillDown({ endpoint }) {
      endpoints.of(endpoint).counts.failedRetries++;
    },
    closingConnections({ connections, error }) {
      closing.add([error.code], connections);
    },
    recyclingConnections({ connections, cause }) {
      recycled.add([cause], connections);
    },
    failover() {
      sums.failovers++;
    },
    panic({ cause }) {
      panics.add([cause]);
    },
    selectorFailed() {
      sums.selectorFailures++;
    },
    dialFailed({ endpoint, error }) {
      endpoints.of(endpoint).counts.dialFailures++;
      dialErrors.add([error.code]);
    },
    connected({ endpoint, dialMs }) {
      const { counts } = endpoints.of(endpoint);
      counts.connected++;
      counts.dialMsSum += dialMs;
      sums.connected++;
      dials.add(dialMs);
    },
    stalled({ endpoint }) {
      endpoints.of(endpoint).counts.stalls++;
    },
    unserved() {
      sums.unserved++;
    },
    closed({ endpoint, reason, bytesFromClient, bytesFromBackend, waitedMs }) {
      const { counts } = endpoints.of(endpoint);
      const index = endReasons.indexOf(reason);
      counts.closed[index] = (counts.closed[index] ?? 0) + 1;
      counts.bytesFromClient += bytesFromClient;
      counts.bytesFromBackend += bytesFromBackend;
      sums.closed++;
      if (waitedMs !== undefined) abandonedWaits.add(waitedMs);
    },
    limitReached() {
      sums.refused++;
    },
    acceptFailed() {
      sums.acceptFailures++;
    },
    checked({ endpoint, verdict, depth, tookMs }) {
      if (verdict.error) endpoints.of(endpoint).counts.failedChecks++;
      // Both results from the first check of a type on, so that rates see the first failure.
      checks.add([verdict.check, depth, "healthy"], verdict.error ? 0 : 1);
      checks.add([verdict.check, depth, "unhealthy"], verdict.error ? 1 : 0);
      checkDurations[depth].add(tookMs);
    },
    clusterIdentified({ from }) {
      if (from !== undefined) sums.clusterChanges++;
    },
    wrongCluster(event) {
      const names = new Set(event.foreign.map(({ endpoint }) => formatAddress(endpoint)));
      for (const name of names) if (!foreign.has(name)) sums.clusterMismatches++;
      foreign = names;
    },
    wrongClusterOver() {
      foreign = new Set();
    },
  };

  return {
    observer,
    endpoint(name) {
      const counts = endpoints.get(name)?.counts;
      return {
        connected: counts?.connected ?? 0,
        closed: counts?.closed.reduce((sum, count) => sum + count, 0) ?? 0,
        dialFailures: counts?.dialFailures ?? 0,
        bytesFromClient: counts?.bytesFromClient ?? 0,
        bytesFromBackend: counts?.bytesFromBackend ?? 0,
        dialMsSum: counts?.dialMsSum ?? 0,
      };
    },
    source: name => sources.get(name) ?? { changes: 0, failures: 0 },
    get connected() {
      return sums.connected;
    },
    get closed() {
      return sums.closed;
    },
    get unserved() {
      return sums.unserved;
    },
    get refused() {
      return sums.refused;
    },
    get failovers() {
      return sums.failovers;
    },
    get selectorFailures() {
      return sums.selectorFailures;
    },
    get acceptFailures() {
      return sums.acceptFailures;
    },
    get clusterMismatches() {
      return sums.clusterMismatches;
    },
    get clusterChanges() {
      return sums.clusterChanges;
    },
    dials,
    abandonedWaits,
    checkDurations,
    checks,
    dialErrors,
    panics,
    closing,
    recycled,
    endpoints,
  };
}

function one(label: string): readonly [string] {
  return [label];
}
