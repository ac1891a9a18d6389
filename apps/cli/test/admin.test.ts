// Each state of a gateway is caused, and seen on /status and /readyz; what an operator asks for is done.
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { get } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { EndpointView, Status } from "@gw/admin";
import {
  connectTo,
  echo,
  freeDnsPort,
  type Gw,
  missing,
  outcome,
  runGw,
  startBackend,
  startEtcd,
  startGw,
  startProgram,
} from "@gw/testing";
import { describe, expect, test } from "vitest";
import { root, temporaryFolder } from "./packed.js";

const bin = join(root, "apps/cli/bin/gw.js");

const admin = ["--admin-addr=127.0.0.1:0", "--admin-actions"] as const;

test("an endpoint that is drained, marked down and taken back", async () => {
  await using one = await startBackend(echo);
  await using other = await startBackend(echo);
  const [first, second] = [`127.0.0.1:${one.port}`, `127.0.0.1:${other.port}`];
  await using gw = await startGw([
    ...admin,
    `--endpoints=${first},${second}`,
    "--selector=first",
    "--health-check=off",
  ]);
  const client = await connectTo(gw.port);
  await answered(client);
  expect(await act(gw, `drain?endpoint=${first}`)).toEqual([200, { done: true }]);
  await gw.logged(/^endpoint drained$/, { endpoint: first });
  expect(await endpointOf(gw, first)).toMatchObject({ state: "held", hold: "drained", connections: 1 });
  expect((await statusOf(gw)).inUse).toBeUndefined();
  // New connections go elsewhere, and the open one still works.
  const next = await connectTo(gw.port);
  await answered(next);
  await answered(client);
  await gw.logged(/^failover$/, { from: first, to: second, reason: `an operator has drained ${first}` });
  expect(await statusOf(gw)).toMatchObject({ inUse: second, lastFailover: { from: first, to: second } });

  const refused = await act(gw, `down?endpoint=${second}`);
  expect(refused).toEqual([409, { error: expect.stringContaining(`no endpoint besides ${second} is up`) }]);
  const reset = outcome(client);
  expect(await act(gw, `down?endpoint=${first}`)).toEqual([200, { done: true }]);
  expect((await reset).end).toBe("ECONNRESET");
  expect(await endpointOf(gw, first)).toMatchObject({ state: "held", hold: "down" });

  expect(await act(gw, `undrain?endpoint=${first}`)).toEqual([200, { done: true }]);
  expect(await endpointOf(gw, first)).toMatchObject({ state: "up", connections: 0 });
  expect(await act(gw, `undrain?endpoint=${first}`)).toMatchObject([409, {}]);
  expect(await act(gw, "drain?endpoint=127.0.0.1:1")).toMatchObject([404, {}]);
  const { events } = (await json(gw, "/events")) as { events: readonly { event: string }[] };
  const held = events.map(({ event }) => event).filter(event => /drained|marked|taken/.test(event));
  expect(held).toEqual(["endpoint drained", "endpoint marked down", "endpoint taken back"]);
  next.destroy();
});

test("endpoints that are up, down and draining, a panic, and readiness", async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, "endpoints.yaml");
  const one = await startBackend(echo);
  await using other = await startBackend(echo);
  const [first, second] = [`127.0.0.1:${one.port}`, `127.0.0.1:${other.port}`];
  await writeFile(file, `- ${first}\n- ${second}\n`);
  await using gw = await startGw([
    ...admin,
    `--endpoints-file=${file}`,
    "--selector=first",
    "--health-check=off",
    "--on-removed=leave",
  ]);
  expect(await readiness(gw)).toBe(200);
  await one[Symbol.asyncDispose]();
  const client = await connectTo(gw.port);
  await answered(client);
  await gw.logged(/^endpoint down$/, { endpoint: first });
  const down = await endpointOf(gw, first);
  expect(down).toMatchObject({ state: "down", code: "refused", retryAt: expect.any(String) });
  expect(down?.reason).toContain("connection refused");

  await writeFile(file, `- ${first}\n`);
  await gw.logged(/^panic$/);
  expect(await endpointOf(gw, second)).toMatchObject({ state: "draining", connections: 1 });
  const status = await statusOf(gw);
  expect(status.panic).toMatchObject({ cause: "all-down" });
  expect(status.ready).toBe(false);
  expect(status.discovery).toMatchObject([{ endpoints: 1, failures: 0, lastRead: expect.any(String) }]);
  expect(await readiness(gw)).toBe(503);
  client.destroy();
});

test("a source that fails is seen while the gateway waits for its first endpoints", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "admin.sock");
  const dns = `--dns-server=127.0.0.1:${await freeDnsPort()}`;
  const args = ["--discovery-srv=example.com", dns, `--admin-addr=unix:${path}`, "--listen-addr=127.0.0.1:0"];
  await using gw = startProgram(process.execPath, [bin, "start", "--log-format=json", ...args]);
  await gw.printed(/"msg":"admin server ready"/);
  await gw.printed(/"msg":"discovery failed"/);
  const status: Status = JSON.parse(await readOver(path, "/status"));
  expect(status).toMatchObject({
    ready: false,
    gateway: { state: "starting", actions: false, listen: [] },
    endpoints: [],
    discovery: [{ source: "srv example.com", failures: 1, reason: expect.any(String) }],
  });
  expect(await readOver(path, "/readyz?verbose")).toContain("[-]listening failed");
});

test.skipIf(missing("etcd"))("a member of another cluster", async () => {
  const [right, wrong] = await Promise.all([startEtcd(1), startEtcd(1)]);
  await using _right = right;
  await using _wrong = wrong;
  const [member, foreign] = [right.endpoints, wrong.endpoints];
  const { stdout } = await runGw(["check", "--json", `--endpoints=${member}`]);
  const clusterId = /"clusterId":"([0-9a-f]+)"/.exec(stdout)?.[1] ?? expect.fail(stdout);
  await using gw = await startGw([...admin, `--endpoints=${member},${foreign}`, `--cluster-id=${clusterId}`]);
  await gw.logged(/^wrong cluster$/);
  expect(await endpointOf(gw, foreign)).toMatchObject({ state: "foreign", code: "wrong-cluster" });
  const status = await statusOf(gw);
  expect(status.identity).toMatchObject({ clusterId, foreign: [{ endpoint: foreign }] });
});

describe("the options in force", () => {
  test("have the values that were given and where from, without secrets", async () => {
    await using backend = await startBackend(echo);
    const endpoint = `127.0.0.1:${backend.port}`;
    const args = [...admin, `--endpoints=${endpoint}`, "--retry-delay=5s", "--discovery-members"];
    await using gw = await startGw([...args, "--health-check=off", "--etcd-user=root:secret"], {
      env: { ...process.env, GW_IDLE_TIMEOUT: "1h" },
    });
    const { options } = await statusOf(gw);
    const of = (name: string) => options.find(({ flag }) => flag === name);
    expect(of("retry-delay")).toEqual({ flag: "retry-delay", value: "5s", from: "flag" });
    expect(of("endpoints")).toMatchObject({ value: endpoint, from: "flag" });
    expect(of("idle-timeout")).toEqual({ flag: "idle-timeout", value: "1h", from: "environment" });
    expect(of("health-interval")).toMatchObject({ value: "10s", from: "default" });
    expect(JSON.stringify(options)).not.toContain("secret");
  });
});

test("the log level is changed, and everything is looked up again, when an operator asks", async () => {
  await using backend = await startBackend(echo);
  await using gw = await startGw([
    ...admin,
    `--endpoints=127.0.0.1:${backend.port}`,
    "--log-level=info",
    "--health-check=off",
  ]);
  expect(await act(gw, "log-level?level=debug")).toEqual([200, { done: true }]);
  await gw.logged(/^log level changed$/, { newLevel: "debug" });
  (await connectTo(gw.port)).destroy();
  await gw.logged(/^accepted$/);
  expect((await statusOf(gw)).gateway.logLevel).toBe("debug");
  expect((await act(gw, "log-level?level=loud"))[0]).toBe(400);
  expect(await act(gw, "refresh")).toEqual([200, { done: true }]);
  await gw.logged(/^reloading$/, { reason: "an operator asked for it" });
});

test("without --admin-actions nothing can be changed, and without --admin-addr nothing listens", async () => {
  await using backend = await startBackend(echo);
  const endpoints = `--endpoints=127.0.0.1:${backend.port}`;
  await using gw = await startGw([endpoints, "--admin-addr=127.0.0.1:0", "--health-check=off"]);
  expect(await act(gw, "refresh")).toMatchObject([
    403,
    { error: expect.stringContaining("--admin-actions") },
  ]);
  await using off = await startGw([endpoints, "--health-check=off"]);
  expect(off.log.map(line => line.msg)).not.toContain("admin server ready");
});

test("an address that other machines may reach is warned of", async () => {
  await using backend = await startBackend(echo);
  await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--admin-addr=0.0.0.0:0"]);
  await gw.logged(/^admin server exposed$/);
});

test.each([
  [["--admin-actions"], 2, "--admin-actions does nothing without --admin-addr"],
  [["--admin-addr=unix:"], 2, "has no path"],
  [["--admin-addr=here"], 2, "admin address"],
  [["--admin-addr=unix:/no/such/folder/admin.sock"], 2, "does not exist; create it first"],
  [["--admin-addr=unix:/dev/null"], 1, "is not a socket"],
])("%j ends with exit code %d", async (flags, code, message) => {
  const ended = await runGw(["start", "--endpoints=127.0.0.1:1", "--listen-addr=127.0.0.1:0", ...flags]);
  expect(ended.code).toBe(code);
  expect(ended.stderr.trim().split("\n").at(-1)).toContain(message);
});

/** Sends a byte, and waits for the same byte. */
async function answered(client: Socket): Promise<void> {
  client.write("x");
  await once(client, "data");
}

/** The body of a GET over a Unix socket. */
function readOver(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path }, response => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}

async function urlOf(gw: Gw): Promise<string> {
  return `http://${(await gw.logged(/^admin server ready$/))["address"]}`;
}

async function json(gw: Gw, route: string): Promise<unknown> {
  return (await fetch(`${await urlOf(gw)}${route}`)).json();
}

async function statusOf(gw: Gw): Promise<Status> {
  return (await json(gw, "/status")) as Status;
}

async function endpointOf(gw: Gw, endpoint: string): Promise<EndpointView | undefined> {
  return (await statusOf(gw)).endpoints.find(one => one.endpoint === endpoint);
}

async function readiness(gw: Gw): Promise<number> {
  return (await fetch(`${await urlOf(gw)}/readyz`)).status;
}

/** The status of the answer to an action, and its JSON. */
async function act(gw: Gw, action: string): Promise<readonly [number, unknown]> {
  const answer = await fetch(`${await urlOf(gw)}/actions/${action}`, {
    method: "POST",
    headers: { "x-gw-action": "1" },
  });
  return [answer.status, await answer.json()];
}
