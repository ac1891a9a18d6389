import fc from "fast-check";
import { expect, test } from "vitest";
import { createTotals, renderMetrics } from "../src/index.js";
import { createHistogram } from "../src/totals/histogram.js";
import { causeAll, client, endpointOf, fullSource, refused, statusOf, viewOf } from "./metrics-sample.js";

/** Many more than are kept: 1,000 with series in the set, and 1,000 that left it. */
const many = 3_000;

test("each event is counted once", () => {
  const totals = createTotals(() => 5);
  causeAll(totals);
  const {
    connected,
    closed,
    unserved,
    refused,
    failovers,
    selectorFailures,
    acceptFailures,
    clusterMismatches,
    clusterChanges,
  } = totals;
  expect([connected, closed, unserved, refused, failovers]).toEqual([1, 1, 1, 1, 1]);
  expect([selectorFailures, acceptFailures, clusterMismatches, clusterChanges]).toEqual([1, 1, 1, 1]);
  expect(totals.endpoint("10.0.0.1:2379")).toEqual({
    connected: 1,
    closed: 1,
    dialFailures: 0,
    bytesFromClient: 10,
    bytesFromBackend: 20,
    dialMsSum: 3,
  });
  expect(totals.endpoint("10.0.0.2:2379").dialFailures).toBe(1);
  expect(totals.endpoint("unknown:1").connected).toBe(0);
  expect(totals.source("srv example.com")).toEqual({ changes: 1, failures: 0, lastChangeAt: 5 });
  expect(totals.source("file /etc/gw.yaml")).toEqual({ changes: 0, failures: 1, failedSince: 5 });
  expect(totals.source("other")).toEqual({ changes: 0, failures: 0 });
});

test("an endpoint that remains in another cluster is one mismatch, and one that returns to it another", () => {
  const totals = createTotals();
  const report = (...numbers: readonly number[]): void =>
    totals.observer.wrongCluster?.({
      clusterId: "c1",
      members: [],
      foreign: numbers.map(number => ({ endpoint: endpointOf(number), clusterId: "c2", alternations: 0 })),
      isAnyUsed: true,
    });
  report(1);
  report(1, 2);
  expect(totals.clusterMismatches).toBe(2);
  totals.observer.wrongClusterOver?.({ clusterId: "c1", lastedMs: 5 });
  report(1);
  expect(totals.clusterMismatches).toBe(3);
});

test("counts of endpoints that left are kept for the most recent ones, and sums never shrink", () => {
  const totals = createTotals();
  let least = 0;
  for (let number = 0; number < many; number++) {
    const endpoint = endpointOf(number);
    totals.observer.poolChanged?.({ added: [endpoint], removed: [] });
    totals.observer.connected?.({ connection: number, endpoint, address: endpoint, dialMs: 1 });
    totals.observer.poolChanged?.({ added: [], removed: [endpoint] });
    if (number % 500 > 0) continue;
    const sum = sumOf(
      "gw_connections_connected_total",
      renderMetrics({ status: statusOf([]), totals }, "prometheus"),
    );
    expect(sum).toBe(number + 1);
    expect(sum).toBeGreaterThan(least);
    least = sum;
  }
  expect(Array.from(totals.endpoints.all()).length).toBe(1_000);
  expect(totals.endpoint(`${endpointOf(many - 1).host}:2379`).connected).toBe(1);
  expect(totals.endpoint(`${endpointOf(0).host}:2379`).connected).toBe(0);
});

test("an endpoint of the set is kept whatever comes and goes", () => {
  const totals = createTotals();
  const first = endpointOf(0);
  totals.observer.poolChanged?.({ added: [first], removed: [] });
  totals.observer.poolChanged?.({ added: [], removed: [first] });
  totals.observer.poolChanged?.({ added: [{ ...first, priority: 3 }], removed: [] });
  for (let number = 1; number < many; number++)
    totals.observer.dialFailed?.({ connection: 1, endpoint: endpointOf(number), error: refused });
  totals.observer.connected?.({ connection: 1, endpoint: first, address: first, dialMs: 1 });
  expect(totals.endpoint("10.0.0.0:2379").connected).toBe(1);
});

test("the bytes of an endpoint do not shrink when its connections end", () => {
  const source = fullSource();
  const text = renderMetrics(source, "prometheus");
  expect(text).toContain('gw_received_bytes_total{endpoint="10.0.0.1:2379"} 15\n');
  // Between the end of a connection and its event, its bytes are in neither count.
  const between = { ...source, status: statusOf([viewOf(1)]) };
  expect(renderMetrics(between, "prometheus")).toContain(
    'gw_received_bytes_total{endpoint="10.0.0.1:2379"} 15\n',
  );
  const one = endpointOf(1);
  source.totals.observer.closed?.({
    ...client,
    connection: 4,
    endpoint: one,
    dialMs: 1,
    reason: "finished",
    bytesFromClient: 6,
    bytesFromBackend: 0,
  });
  expect(renderMetrics(between, "prometheus")).toContain(
    'gw_received_bytes_total{endpoint="10.0.0.1:2379"} 16\n',
  );
});

test("different labels are bounded", () => {
  const totals = createTotals();
  for (let number = 0; number < 1_000; number++) {
    const verdict = { check: `check ${number}`, scope: "endpoint" } as const;
    totals.observer.checked?.({ endpoint: endpointOf(1), depth: "deep", tookMs: 1, verdict });
    totals.observer.discoveryFailed?.({ source: `file ${number}`, error: refused });
  }
  const counts = Array.from(totals.checks.entries());
  expect(counts.length).toBe(257);
  expect(counts.find(({ labels }) => labels[0] === "other")?.count).toBe(1_000 - 128);
  expect(totals.source("file 999").failures).toBe(0);
});

test("a histogram counts each value in all buckets from its own upwards", () => {
  const value = fc.double({ min: -5, max: 200, noNaN: true });
  fc.assert(
    fc.property(fc.array(value), values => {
      const histogram = createHistogram([1, 10, 100]);
      for (const one of values) histogram.add(one);
      const expected = [1, 10, 100, Infinity].map(limit => values.filter(one => one <= limit).length);
      expect(histogram.cumulated()).toEqual(expected);
      expect(histogram.count).toBe(values.length);
    }),
  );
});

function sumOf(name: string, text: string): number {
  const lines = text.split("\n").filter(line => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}
