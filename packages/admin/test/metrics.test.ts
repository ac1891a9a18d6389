// What /metrics shows, checked by promtool and by the parsers of Prometheus' Python client.
import { missingPrometheus, type ParsedFamily, parseMetrics, promtool } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { createTotals, type MetricsSource, renderMetrics } from "../src/index.js";
import { metricFamilies } from "../src/metrics/families.js";
import { endpointOf, fullSource, statusOf, viewOf } from "./metrics-sample.js";

const formats = ["prometheus", "openmetrics"] as const;

describe.skipIf(missingPrometheus())("the text of /metrics", () => {
  test("promtool finds nothing to complain about", () => {
    expect(promtool(["check", "metrics"], renderMetrics(fullSource(), "prometheus"))).toBe("");
    expect(promtool(["check", "metrics"], renderMetrics(emptySource(), "prometheus"))).toBe("");
  });

  test.each(formats)("the parser of %s reads all families and values", format => {
    const parsed = parseMetrics(renderMetrics(fullSource(), format), format);
    expect(parsed.flatMap(({ name, samples }) => samples.map(() => name))).not.toEqual([]);
    const heads = metricFamilies.map(({ name, type, help }) => ({ name: nameIn(format, name, type), help }));
    expect(parsed.map(({ name, help }) => ({ name, help }))).toEqual(heads);
    expect(sampleValue(parsed, "gw_received_bytes_total", { endpoint: "10.0.0.1:2379" })).toBe("15.0");
    expect(sampleValue(parsed, "gw_sent_bytes_total", { endpoint: "10.0.0.1:2379" })).toBe("20.0");
    expect(
      sampleValue(parsed, "gw_dial_duration_seconds_bucket", {
        le: "0.005",
      }),
    ).toBe("1.0");
  });

  test("both formats have the same samples", () => {
    const samples = formats.map(format =>
      parseMetrics(renderMetrics(fullSource(), format), format).flatMap(one => one.samples),
    );
    expect(samples[0]).toEqual(samples[1]);
  });

  test.each(formats)("names of hosts and sources cannot break out of %s", format => {
    const nasty = 'a"} 1\ngw_up 1\\\u0000\u001b[31m\ud800 é🙂';
    const source = {
      ...fullSource(),
      status: {
        ...statusOf([viewOf(1, { endpoint: nasty })]),
        discovery: [{ source: nasty, endpoints: 1, failures: 0 }],
      },
    };
    const parsed = parseMetrics(renderMetrics(source, format), format);
    const shown = 'a"} 1\ngw_up 1\\??[31m? é🙂';
    expect(sampleValue(parsed, "gw_endpoint_up", { endpoint: shown })).toBe("1.0");
    expect(sampleValue(parsed, "gw_discovery_endpoints", { source: shown })).toBe("1.0");
  });

  test("long labels are cut", () => {
    const source = { ...fullSource(), status: statusOf([viewOf(1, { endpoint: "x".repeat(500) })]) };
    const parsed = parseMetrics(renderMetrics(source, "prometheus"), "prometheus");
    expect(sampleValue(parsed, "gw_endpoint_up", { endpoint: "x".repeat(128) })).toBe("1.0");
  });

  test("with 10,000 endpoints, 1,000 have series of their own, and sums are complete", () => {
    const totals = createTotals();
    const numbers = Array.from({ length: 10_000 }, (_, number) => number);
    totals.observer.poolChanged?.({ added: numbers.map(endpointOf), removed: [] });
    for (const number of numbers)
      totals.observer.connected?.({
        connection: 1,
        endpoint: endpointOf(number),
        address: endpointOf(number),
        dialMs: 1,
      });
    const source = { status: statusOf(numbers.map(number => viewOf(number))), totals };
    renderMetrics(source, "prometheus");
    const before = process.cpuUsage();
    const text = renderMetrics(source, "openmetrics");
    const tookMs = process.cpuUsage(before).user / 1_000;
    // 1.7 MB and 0.1 s here; the limits are against a change of order, not measures of speed.
    expect(text.length).toBeLessThan(4_000_000);
    expect(tookMs).toBeLessThan(2_000);
    const parsed = parseMetrics(text, "openmetrics");
    expect(samplesOf(parsed, "gw_endpoint_up")).toHaveLength(1_000);
    expect(sampleValue(parsed, "gw_endpoint_series_limited")).toBe("9000.0");
    expect(sampleValue(parsed, "gw_connections_connected_total", { endpoint: "other" })).toBe("9000.0");
    expect(sampleValue(parsed, "gw_endpoints", { state: "up" })).toBe("10000.0");
  });
});

/** A gateway that has just started: nothing is known. */
function emptySource(): MetricsSource {
  const { panic: _, ...status } = statusOf([]);
  return { status: { ...status, discovery: [], identity: { foreign: [] } }, totals: createTotals() };
}

/** The name of a family as the parsers say it. */
function nameIn(format: (typeof formats)[number], name: string, type: string): string {
  if (type === "counter") return name.replace(/_total$/, "");
  return format === "openmetrics" && type === "info" ? name.replace(/_info$/, "") : name;
}

function samplesOf(families: readonly ParsedFamily[], name: string): ParsedFamily["samples"] {
  return families.flatMap(({ samples }) => samples).filter(sample => sample.name === name);
}

function sampleValue(
  families: readonly ParsedFamily[],
  name: string,
  labels: { readonly [label: string]: string } = {},
): string | undefined {
  const matches = samplesOf(families, name).filter(sample =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return matches[0]?.value;
}
