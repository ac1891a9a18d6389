// docs/metrics.md is written from the list of metrics. `npm run docs` writes it again.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { renderMetrics } from "../src/index.js";
import { metricFamilies, metricGroups } from "../src/metrics/families.js";
import type { Family } from "../src/metrics/family.js";
import { fullSource } from "./metrics-sample.js";

const page: string = fileURLToPath(new URL("../../../docs/metrics.md", import.meta.url));

test("docs/metrics.md is generated from the list of metrics", async () => {
  await expect(metricsPage()).toMatchFileSnapshot(page);
});

test("/metrics has each documented metric, and no other", () => {
  const text = renderMetrics(fullSource(), "prometheus");
  const shown = Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name);
  expect(shown).toEqual(metricFamilies.map(({ name }) => name));
});

test("each sample has exactly the documented labels", () => {
  const labels = new Map(metricFamilies.map(({ name, labels = [] }) => [name, labels]));
  for (const line of renderMetrics(fullSource(), "prometheus").split("\n")) {
    const [, name = "", inBraces = ""] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === "") continue;
    const family = labels.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    const found = Array.from(inBraces.matchAll(/(\w+)="/g), ([, label]) => label);
    expect([name, found.filter(label => label !== "le")]).toEqual([name, labels.get(family)]);
  }
});

test("names follow the conventions of Prometheus", () => {
  for (const { name, type, help } of metricFamilies) {
    expect(name).toMatch(/^(gw|process)_[a-z]+(_[a-z]+)*$/);
    expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
    expect([name, name.endsWith("_info")]).toEqual([name, type === "info"]);
    expect([name, /_(ms|milliseconds|kb|percent)(_|$)/.test(name)]).toEqual([name, false]);
    expect([name, help.endsWith(".")]).toEqual([name, false]);
  }
});

function metricsPage(): string {
  const sections = metricGroups.map(({ title, families }) => {
    return `### ${title}\n\n| metric | type | labels | |\n|---|---|---|---|\n${families.map(row).join("\n")}\n`;
  });
  return `${introduction}\n${sections.join("\n")}${ending}`;
}

function row({ name, type, labels = [], help }: Family): string {
  return `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(", ")} | ${help} |`;
}

const introduction = `# Metrics

All metrics of \`/metrics\`, their labels and bounds. [Reading gw](reading-gw.md) uses them.

\`\`\`sh
npx @gw/cli start --endpoints=10.0.1.10,10.0.1.11,10.0.1.12 --admin-addr=127.0.0.1:23791
\`\`\`

\`\`\`console
$ curl http://127.0.0.1:23791/metrics
\`\`\`

\`/metrics\` answers in the text format of Prometheus (0.0.4), or in OpenMetrics 1.0 if the client prefers it, as Prometheus
does. Values are read when they are asked for: between two scrapes gw only counts.

| file | |
|---|---|
| [monitoring/dashboard.json](monitoring/dashboard.json) | dashboard for Grafana; import it and choose the data source |
| [monitoring/alerts.yaml](monitoring/alerts.yaml) | alert rules for Prometheus; each links to its part of [Reading gw](reading-gw.md) |
| [monitoring/prometheus.yaml](monitoring/prometheus.yaml) | scrapes gw and loads the rules |
| [monitoring/otel-collector.yaml](monitoring/otel-collector.yaml) | the same for the OpenTelemetry collector |

Prometheus names counters with \`_total\`, and histograms have \`_bucket\`, \`_sum\` and \`_count\`. A summary has \`_sum\` and
\`_count\` only. An info is a gauge in the text format; its value is 1. All times are in seconds.

## Labels and bounds

- \`endpoint\` is \`host:port\`. At most 1,000 endpoints have series of their own: the first ones that are known. Counters
  of all others are summed as \`endpoint="other"\`, which exists always, so that sums are complete; their gauges are left out,
  and \`gw_endpoint_series_limited\` says how many they are. \`gw_endpoints\` counts all of them.
- Counters of endpoints that left the set are kept for the most recent 1,000. Those of older ones are added to
  \`endpoint="other"\`. Sums never shrink.
- \`reason\` of \`gw_connections_closed_total\` is one of \`finished\`, \`client-failed\`, \`backend-failed\`, \`timed-out\`, \`closed\`
  and \`aborted\`, as in the log. \`reason\` of \`gw_endpoints\` and \`code\` are codes of errors, such as \`refused\`,
  \`timed-out\` and \`unhealthy\`; [embedding](embedding.md) uses the same.
- \`cause\` of a panic is \`all-down\`, \`most-unhealthy\` or \`cluster\`; of recycled connections \`age\`, \`balance\` or \`policy\`.
- At most 64 different values of \`source\` and \`code\`, and 256 kinds of checks, are counted apart; the rest as \`other\`.
- Labels are cut after 128 characters, and control characters are shown as \`?\`: hosts may come from DNS.

With 3 endpoints a scrape has 19 KB and takes less than a millisecond; with 10,000 it has 1.7 MB and takes a tenth of a second.

## All metrics
`;

const ending = `
A metric is absent while nothing is known of it: without \`--max-connections\`, on systems without \`/proc\`, before the first
check that reports a leader.

## Why no client library

\`prom-client\` is not developed any more; its successor \`@prometheus-io/client\` needs Node 22, and gw runs on Node 20. A
library also keeps a registry, into which the state of endpoints and connections would be copied for each scrape, and from
which endpoints that left would have to be removed. gw has all of that already, so it has a writer of 70 lines. Tests check
its output with \`promtool check metrics\` and with both parsers of Prometheus' Python client.
`;
