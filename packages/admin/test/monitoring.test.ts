// The files of docs/monitoring, checked against the real /metrics, by promtool and by Prometheus itself.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findPrometheus, freePort, missingPrometheus, promtool, startProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { renderMetrics } from "../src/index.js";
import { metricFamilies } from "../src/metrics/families.js";
import { fullSource } from "./metrics-sample.js";

const docs: string = fileURLToPath(new URL("../../../docs/", import.meta.url));
const monitoring: string = join(docs, "monitoring");
const read = (name: string): string => readFileSync(join(monitoring, name), "utf8");

/** Those of panels and annotations, with values for the variables of Grafana. */
const dashboardExpressions: readonly string[] = Array.from(
  read("dashboard.json").matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g),
  ([, text = ""]) =>
    (JSON.parse(text) as string).replaceAll(/\$(job|instance)/g, ".*").replaceAll("$__rate_interval", "1m"),
);
const alerts: readonly { readonly name: string; readonly expression: string; readonly runbook: string }[] =
  Array.from(
    read("alerts.yaml").matchAll(/- alert: (\w+)\n +expr: (.*)\n[\s\S]*?runbook: (\S+)/g),
    ([, name = "", expression = "", runbook = ""]) => ({ name, expression, runbook }),
  );
const expressions: readonly string[] = [
  ...dashboardExpressions,
  ...alerts.map(({ expression }) => expression),
];

describe("the files of docs/monitoring", () => {
  test("there are a dashboard and alerts", () => {
    expect(dashboardExpressions.length).toBeGreaterThan(30);
    expect(alerts.length).toBe(read("alerts.yaml").match(/- alert: /g)?.length);
  });

  test.each(expressions)("%s uses only metrics and labels that exist", expression => {
    const families = new Map(metricFamilies.map(family => [family.name, family]));
    const withoutTexts = expression.replaceAll(/"[^"]*"/g, '""');
    const names = withoutTexts.match(/\b(?:gw|process)_[a-z_]+/g) ?? ["up"];
    const used = names.map(
      name => families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, "")),
    );
    if (names[0] !== "up")
      expect(used.map((family, index) => [names[index], family !== undefined])).toEqual(
        names.map(name => [name, true]),
      );
    const known = new Set(["job", "instance", "le", ...used.flatMap(family => family?.labels ?? [])]);
    const matchers = Array.from(withoutTexts.matchAll(/[{,]\s*(\w+)\s*[=!]/g), ([, label = ""]) => label);
    const groups = Array.from(withoutTexts.matchAll(/\b(?:by|without) \(([^)]*)\)/g), ([, list = ""]) =>
      list.split(/, */),
    );
    for (const label of [...matchers, ...groups.flat()])
      expect([label, known.has(label)]).toEqual([label, true]);
  });

  test("each alert has its part in Reading gw, and each part an alert", () => {
    const parts = Array.from(
      readFileSync(join(docs, "reading-gw.md"), "utf8").matchAll(/^### (Gw\w+)$/gm),
      ([, name]) => name,
    );
    expect(parts).toEqual(alerts.map(({ name }) => name));
    for (const { name, runbook } of alerts) expect(runbook).toBe(`docs/reading-gw.md#${name.toLowerCase()}`);
  });

  test("each metric of the process and each counter of failures is on the dashboard or in an alert", () => {
    const all = expressions.join("\n");
    const important = metricFamilies.filter(({ name }) =>
      /^process_(?!start)|fail|panic$|wait|stall|refused|unserved|limit$/.test(name),
    );
    for (const { name } of important) {
      // What is said by another metric in more detail, or belongs to a panel that has the sum.
      if (
        [
          "gw_selector_failures_total",
          "gw_accept_failures_total",
          "gw_dial_failures_total",
          "gw_discovery_failures_total",
        ].includes(name)
      )
        continue;
      expect([name, all.includes(name)]).toEqual([name, true]);
    }
  });
});

describe.skipIf(missingPrometheus())("Prometheus", () => {
  test("promtool accepts the rules and their tests", () => {
    expect(promtool(["check", "rules", join(monitoring, "alerts.yaml")])).toMatch(/^$/);
    expect(promtool(["test", "rules", join(monitoring, "alerts.test.yaml")])).toMatch(/^$/);
  });

  test("each alert fires in one test and does not in another", () => {
    for (const { name } of alerts) {
      expect(read("alerts.test.yaml")).toContain(`name: ${name} fires`);
      expect(read("alerts.test.yaml")).toContain(`name: ${name} does not fire`);
    }
  });

  test("scrapes gw with its example, loads the rules, and each panel of the dashboard shows something", async () => {
    // Counters move from scrape to scrape, so that rates are not empty.
    const source = fullSource();
    await using server = createServer((request, response) => {
      source.totals.observer.failover?.({ from: one, to: one, why: "" });
      const open = request.headers.accept?.includes("openmetrics") ?? false;
      response.setHeader(
        "content-type",
        open ? "application/openmetrics-text; version=1.0.0" : "text/plain; version=0.0.4",
      );
      response.end(renderMetrics(source, open ? "openmetrics" : "prometheus"));
    });
    const one = { host: "10.0.0.1", port: 2379, priority: 0, weight: 0 };
    await once(server.listen(0, "127.0.0.1"), "listening");
    const folder = mkdtempSync(join(tmpdir(), "gw-prometheus-"));
    const config = read("prometheus.yaml")
      .replace("127.0.0.1:23791", `127.0.0.1:${(server.address() as AddressInfo).port}`)
      .replace("scrape_interval: 15s", "scrape_interval: 1s")
      .replace("- alerts.yaml", `- ${join(monitoring, "alerts.yaml")}`);
    writeFileSync(join(folder, "prometheus.yaml"), config);
    expect(promtool(["check", "config", join(folder, "prometheus.yaml")])).toBe("");
    const port = await freePort();
    await using prometheus = startProgram(findPrometheus() ?? "prometheus", [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await prometheus.printed(/Server is ready to receive web requests/);
    const ask = async (path: string): Promise<Answer> =>
      (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as Answer;
    for (const expression of dashboardExpressions) {
      // Empty while there is one scrape only; quantiles are NaN without new observations, and that is a sample too.
      const query = `query?query=${encodeURIComponent(expression)}`;
      await expect
        .poll(async () => (await ask(query)).data.result?.length, { message: expression })
        .toBeGreaterThan(0);
    }
    const rules = (await ask("rules")).data.groups?.flatMap(group => group.rules) ?? [];
    expect(rules.map(({ name, health }) => [name, health === "err"])).toEqual(
      alerts.map(({ name }) => [name, false]),
    );
    const targets = (await ask("targets")).data.activeTargets ?? [];
    expect(targets.map(({ health, lastError }) => ({ health, lastError }))).toEqual([
      { health: "up", lastError: "" },
    ]);
    await prometheus[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
});

/** Answers of the HTTP interface of Prometheus; each has one of the fields. */
interface Answer {
  readonly data: {
    readonly result?: readonly unknown[];
    readonly groups?: readonly {
      readonly rules: readonly { readonly name: string; readonly health: string }[];
    }[];
    readonly activeTargets?: readonly { readonly health: string; readonly lastError: string }[];
  };
}
