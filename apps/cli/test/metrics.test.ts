// What is caused at a running gateway is seen on /metrics.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  connectTo,
  echo,
  type Gw,
  missingPrometheus,
  outcome,
  type ParsedFamily,
  parseMetrics,
  promtool,
  startBackend,
  startGw,
} from "@gw/testing";
import { describe, expect, test } from "vitest";
import { root } from "./packed.js";

/** What `/metrics` has only when something has happened, or is known. */
const conditional = [
  "gw_endpoint_info",
  "gw_endpoint_is_leader",
  "gw_endpoint_is_learner",
  "gw_endpoint_raft_term",
  "gw_endpoint_round_trip_seconds",
  "gw_cluster_info",
  "gw_health_checks_total",
];

describe.skipIf(missingPrometheus())("/metrics of a running gateway", () => {
  test("promtool and both parsers accept it, and it has each documented metric", async () => {
    await using backend = await startBackend(echo);
    await using gw = await start(`--endpoints=127.0.0.1:${backend.port}`, "--health-check=off");
    const text = await (await fetch(`${urlOf(gw)}/metrics`)).text();
    expect(promtool(["check", "metrics"], text)).toBe("");
    const shown = Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name);
    const page = readFileSync(join(root, "docs/metrics.md"), "utf8");
    const documented = Array.from(page.matchAll(/^\| `([a-z_]+)` \| /gm), ([, name = ""]) => name);
    const always = documented.filter(name => !conditional.includes(name));
    expect(shown.filter(name => !conditional.includes(name ?? ""))).toEqual(always);
    expect((await read(gw, "openmetrics")).length).toBe(shown.length);
  });

  test("a connection, its bytes and its end", async () => {
    await using backend = await startBackend(echo);
    await using gw = await start(`--endpoints=127.0.0.1:${backend.port}`, "--health-check=off");
    const endpoint = `127.0.0.1:${backend.port}`;
    const client = await connectTo(gw.port);
    client.write("12345");
    await new Promise(resolve => client.once("data", resolve));
    const during = await read(gw);
    expect(value(during, "gw_connections")).toBe(1);
    expect(value(during, "gw_connections_open", { endpoint })).toBe(1);
    expect(value(during, "gw_received_bytes_total", { endpoint })).toBe(5);
    expect(value(during, "gw_sent_bytes_total", { endpoint })).toBe(5);
    expect(value(during, "gw_endpoint_in_use", { endpoint })).toBe(1);
    const ended = outcome(client);
    client.end();
    await ended;
    await gw.logged(/^closed$/);
    const after = await read(gw);
    expect(value(after, "gw_connections_open", { endpoint })).toBe(0);
    expect(value(after, "gw_received_bytes_total", { endpoint })).toBe(5);
    expect(value(after, "gw_connections_closed_total", { endpoint, reason: "finished" })).toBe(1);
    expect(value(after, "gw_connections_connected_total", { endpoint })).toBe(1);
    expect(value(after, "gw_dial_duration_seconds_count")).toBe(1);
    expect(value(after, "gw_endpoint_dial_duration_seconds_count", { endpoint })).toBe(1);
  });

  test("an endpoint that refuses, the failover, and the panic when none is left", async () => {
    await using good = await startBackend(echo);
    const bad = await startBackend(echo);
    await using gw = await start(
      `--endpoints=127.0.0.1:${bad.port},127.0.0.1:${good.port}`,
      "--selector=first",
      "--health-check=off",
    );
    const endpoint = `127.0.0.1:${bad.port}`;
    const before = await connectTo(gw.port);
    await gw.logged(/^connected$/);
    before.destroy();
    await bad[Symbol.asyncDispose]();
    const client = await connectTo(gw.port);
    await gw.logged(/^failover$/);
    const text = await read(gw);
    expect(value(text, "gw_dial_failures_total", { endpoint })).toBe(1);
    expect(value(text, "gw_dial_errors_total", { code: "refused" })).toBe(1);
    expect(value(text, "gw_endpoint_up", { endpoint })).toBe(0);
    expect(value(text, "gw_endpoints", { state: "down", reason: "refused" })).toBe(1);
    expect(value(text, "gw_endpoints", { state: "up" })).toBe(1);
    expect(value(text, "gw_endpoint_marked_down_total", { endpoint })).toBe(1);
    expect(value(text, "gw_failovers_total")).toBe(1);
    expect(value(text, "gw_panic", { cause: "all-down" })).toBe(0);
    client.destroy();
    await good[Symbol.asyncDispose]();
    const unserved = await connectTo(gw.port);
    unserved.on("error", () => {});
    await gw.logged(/^panic$/);
    await gw.logged(/^client not served$|^unserved$/);
    const late = await read(gw);
    expect(value(late, "gw_panic", { cause: "all-down" })).toBe(1);
    expect(value(late, "gw_panics_total", { cause: "all-down" })).toBe(1);
    expect(value(late, "gw_connections_unserved_total")).toBe(1);
    expect(value(late, "gw_ready")).toBe(0);
  });

  test("a client beyond the limit, and one that waits and gives up", async () => {
    await using silent = await startBackend(() => {});
    await using gw = await start(
      `--endpoints=127.0.0.1:${silent.port}`,
      "--max-connections=1",
      "--health-check=tcp",
      "--health-interval=500ms",
      "--stall-timeout=200ms",
    );
    const endpoint = `127.0.0.1:${silent.port}`;
    const waiting = await connectTo(gw.port);
    waiting.write("?");
    await expect.poll(async () => value(await read(gw), "gw_waiting_clients", { endpoint })).toBe(1);
    // It may be reset before it knows that it is connected.
    await connectTo(gw.port).then(
      client => client.on("error", () => {}),
      () => {},
    );
    await gw.logged(/^connection limit reached$/);
    const text = await read(gw);
    expect(value(text, "gw_connections_limit")).toBe(1);
    expect(value(text, "gw_connections_refused_total")).toBe(1);
    expect(value(text, "gw_stalls_total", { endpoint })).toBe(1);
    expect(value(text, "gw_longest_wait_seconds", { endpoint })).toBeGreaterThanOrEqual(0.2);
    waiting.resetAndDestroy();
    await gw.logged(/^closed$/);
    expect(value(await read(gw), "gw_abandoned_wait_seconds_count")).toBe(1);
    await expect
      .poll(async () => value(await read(gw), "gw_health_checks_total", { check: "tcp", result: "healthy" }))
      .toBeGreaterThan(0);
  });
});

function start(...flags: readonly string[]): Promise<Gw> {
  return startGw(["--admin-addr=127.0.0.1:0", ...flags]);
}

function urlOf(gw: Gw): string {
  const line = gw.log.find(({ msg }) => msg === "admin server ready");
  return `http://${line?.["address"]}`;
}

async function read(
  gw: Gw,
  format: "prometheus" | "openmetrics" = "prometheus",
): Promise<readonly ParsedFamily[]> {
  const accept = format === "openmetrics" ? "application/openmetrics-text; version=1.0.0" : "text/plain";
  return parseMetrics(await (await fetch(`${urlOf(gw)}/metrics`, { headers: { accept } })).text(), format);
}

/** Of the first sample with this name and these labels. */
function value(
  families: readonly ParsedFamily[],
  name: string,
  labels: { readonly [label: string]: string } = {},
): number | undefined {
  const samples = families.flatMap(family => family.samples);
  const found = samples.find(
    sample =>
      sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  return found && Number(found.value);
}
