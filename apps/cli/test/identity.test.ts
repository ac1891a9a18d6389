// Endpoints of different clusters behind one gateway: clients never see the data of two.
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Backend,
  connectTo,
  createAuthority,
  type EtcdCluster,
  enableAuth,
  etcdctl,
  freePort,
  type Gw,
  missing,
  outcome,
  runGw,
  startBackend,
  startEtcd,
  startGw,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckReport } from "../src/commands/check-report.js";

/** A forwarder to `target`, a port of 127.0.0.1, which may be changed: then new connections lead elsewhere. */
async function startForwarder(target: number): Promise<Backend & { target: number }> {
  const pipe = (from: Socket, to: Socket): void => {
    from.pipe(to);
    from.on("error", () => to.resetAndDestroy()).on("close", () => to.destroy());
  };
  const backend = await startBackend(client => {
    const server = connect({ port: forwarder.target, host: "127.0.0.1", allowHalfOpen: true });
    pipe(client, server);
    pipe(server, client);
  });
  const forwarder = Object.assign(backend, { target });
  return forwarder;
}

/** A port of `host:port`. */
function portOf(endpoint = ""): number {
  return Number(endpoint.split(":").at(-1));
}

async function clusterIdOf(endpoint: string): Promise<string> {
  const { stdout } = await etcdctl(endpoint, "endpoint", "status", "--write-out=fields");
  const id = /"ClusterID" : (\d+)/.exec(stdout)?.[1] ?? "";
  return BigInt(id).toString(16);
}

let keys = 0;
/** Puts four keys through the gateway, and expects each to be there for four reads, and in the cluster `of` only. */
async function expectUnmixed(gw: Gw, of: string, not: string): Promise<void> {
  // On a slow machine the endpoints may take longer to answer than clients wait for them.
  await gw.logged(/^cluster identified$/);
  keys += 1;
  const each = [0, 1, 2, 3].map(key => `k${keys}-${key}`);
  const puts = await Promise.all(each.map(key => etcdctl(gw.address, "put", key, "yes")));
  const gets = await Promise.all(each.map(key => etcdctl(gw.address, "get", key, "--print-value-only")));
  expect([...puts, ...gets].map(({ stdout, stderr }) => stdout + stderr)).toEqual([
    ...each.map(() => "OK\n"),
    ...each.map(() => "yes\n"),
  ]);
  const count = async (endpoint: string): Promise<string> => {
    const read = await etcdctl(endpoint, "get", `k${keys}-`, "--prefix", "--keys-only", "--write-out=fields");
    return /"Count" : (\d+)/.exec(read.stdout)?.[1] ?? "";
  };
  expect([await count(of), await count(not)]).toEqual(["4", "0"]);
}

describe.skipIf(missing("etcd", "etcdctl"))("two unrelated clusters behind one gateway", () => {
  let right: EtcdCluster;
  let other: EtcdCluster;
  let first: string;
  let second: string;
  let foreign: string;
  let rightId: string;
  let otherId: string;
  beforeAll(async () => {
    [right, other] = await Promise.all([startEtcd(2), startEtcd(1)]);
    [first = "", second = ""] = right.members.map(({ endpoint }) => endpoint);
    foreign = other.members[0]?.endpoint ?? "";
    [rightId, otherId] = [await clusterIdOf(first), await clusterIdOf(foreign)];
  });
  afterAll(async () => {
    await right?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  test.each(["round-robin", "sticky-random"])("the majority is used, with %s", async selector => {
    await using gw = await startGw([
      `--endpoints=${foreign},${first},${second}`,
      `--selector=${selector}`,
      "--cluster-id=auto",
    ]);
    await expectUnmixed(gw, first, foreign);
    expect(await gw.logged(/^cluster identified$/)).toMatchObject({ level: "info", clusterId: rightId });
    expect(await gw.logged(/^wrong cluster$/)).toMatchObject({
      level: "warn",
      clusterId: rightId,
      members: [first, second],
      others: [`${otherId}: ${foreign}`],
    });
    expect(gw.log.filter(line => line.msg === "connected" && line["endpoint"] === foreign)).toEqual([]);
  });

  test("where there is no majority the first that answers is used, and the log has a warning", async () => {
    await using gw = await startGw([`--endpoints=${foreign},${first}`, "--selector=round-robin"]);
    const identified = await gw.logged(/^cluster identified$/);
    const [own, not] = identified["clusterId"] === rightId ? [first, foreign] : [foreign, first];
    expect(identified).toMatchObject({ level: "warn", members: [own], reason: /answered first/ });
    await expectUnmixed(gw, own, not);
  });

  test("a pinned id decides; nothing is used where no endpoint has it", async () => {
    const endpoints = `--endpoints=${foreign},${first},${second}`;
    await using gw = await startGw([endpoints, `--cluster-id=0x00${otherId.toUpperCase()}`]);
    await expectUnmixed(gw, foreign, first);
    await using none = await startGw([endpoints, "--cluster-id=1"]);
    expect(await none.logged(/^wrong cluster$/)).toMatchObject({
      level: "error",
      clusterId: "1",
      members: [],
      others: [`${otherId}: ${foreign}`, `${rightId}: ${first}, ${second}`],
    });
    expect((await outcome(await connectTo(none.port))).end).toBe("end");
  });

  test("the id that an earlier run used decides where there is no majority", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-state-"));
    const state = `--state-file=${join(folder, "endpoints.json")}`;
    {
      await using before = await startGw([`--endpoints=${first},${second}`, state]);
      await before.logged(/^cluster identified$/);
      expect(await etcdctl(before.address, "put", "x", "y")).toMatchObject({ code: 0 });
      before.kill();
      expect(await before.exit).toMatchObject({ code: 0 });
    }
    await using gw = await startGw([`--endpoints=${foreign},${first}`, state]);
    await expectUnmixed(gw, first, foreign);
    expect(await gw.logged(/^cluster identified$/)).toMatchObject({
      level: "info",
      clusterId: rightId,
      reason: expect.stringContaining("used before"),
    });
    await rm(folder, { recursive: true, force: true });
  });

  test("with --cluster-id=off no endpoint is asked", async () => {
    await using gw = await startGw([`--endpoints=${foreign},${first}`, "--cluster-id=off"]);
    await etcdctl(gw.address, "put", "x", "y");
    await gw.logged(/^health check type$/);
    expect(gw.log.filter(line => line.msg.includes("cluster"))).toEqual([]);
  });

  test("connections to an endpoint are reset when its address leads to another cluster", async () => {
    await using forwarder = await startForwarder(portOf(first));
    const moving = `127.0.0.1:${forwarder.port}`;
    await using gw = await startGw([`--endpoints=${moving},${second}`, "--selector=first"]);
    const clients = [await connectTo(gw.port), await connectTo(gw.port)];
    await gw.printed(/"msg":"connected"[\s\S]*"msg":"connected"/);
    expect(gw.log.filter(line => line.msg === "connected").map(line => line["endpoint"])).toEqual([
      moving,
      moving,
    ]);
    const ends = clients.map(client => outcome(client));
    forwarder.target = portOf(foreign);
    // One client loses its connection, the other does not. Health checks send something.
    [...forwarder.sockets].find(({ bytesRead }) => bytesRead === 0)?.resetAndDestroy();
    expect((await Promise.all(ends)).map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(await gw.logged(/^wrong cluster$/)).toMatchObject({ others: [`${otherId}: ${moving}`] });
    await expectUnmixed(gw, second, foreign);
    forwarder.target = portOf(first);
    await gw.logged(/^wrong cluster over$/);
  });

  test("an endpoint that was down is asked before it is used again", async () => {
    const port = await freePort();
    await using gw = await startGw([
      `--endpoints=127.0.0.1:${port},${first},${second}`,
      "--selector=first",
      "--retry-delay=200ms",
      "--max-retry-delay=200ms",
    ]);
    await expectUnmixed(gw, first, foreign);
    await gw.logged(/^endpoint down$/);
    const flags = { "listen-client-urls": `http://127.0.0.1:${port}` };
    await using late = await startEtcd(1, { flags });
    expect(await gw.logged(/^wrong cluster$/)).toMatchObject({ members: [first, second] });
    expect(gw.log.some(line => line.msg === "endpoint up")).toBe(false);
    await expectUnmixed(gw, first, late.members[0] ? `127.0.0.1:${port}` : "");
  });

  test("a member that was restored from a snapshot into a new cluster is not used", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-snapshot-"));
    const [file, data] = [join(folder, "snapshot.db"), join(folder, "data")];
    const peer = `http://127.0.0.1:${await freePort()}`;
    expect(await etcdctl(first, "snapshot", "save", file)).toMatchObject({ code: 0 });
    const cluster = { name: "m1", "initial-cluster": `m1=${peer}`, "initial-advertise-peer-urls": peer };
    const flags = Object.entries({ ...cluster, "data-dir": data }).map(
      ([flag, value]) => `--${flag}=${value}`,
    );
    expect(await etcdctl(first, "snapshot", "restore", file, ...flags)).toMatchObject({ code: 0 });
    await using restored = await startEtcd(1, {
      flags: { ...cluster, "data-dir": data, "listen-peer-urls": peer },
    });
    await using gw = await startGw([
      `--endpoints=${restored.endpoints},${first},${second}`,
      "--selector=first",
    ]);
    await expectUnmixed(gw, first, restored.endpoints);
    expect(await gw.logged(/^wrong cluster$/)).toMatchObject({
      others: [expect.stringContaining(`: ${restored.endpoints}`)],
    });
    await rm(folder, { recursive: true, force: true });
  });

  test("gw check and gw resolve show the ids, and verify a pinned one", async () => {
    const all = `--endpoints=${foreign},${first},${second}`;
    const mixed = `2 different clusters, of which the gateway uses one (${otherId}: ${foreign}; ${rightId}: ${first}, ${second})`;
    const checked = await runGw(["check", all]);
    expect(checked).toMatchObject({ code: 1, stderr: "gw: error: the endpoints do not belong together\n" });
    expect(checked.stdout).toContain(mixed);
    const resolved = await runGw(["resolve", "--json", all]);
    const { endpoints, problems } = JSON.parse(resolved.stdout);
    expect(endpoints.map((one: { clusterId: string }) => one.clusterId)).toEqual([otherId, rightId, rightId]);
    expect(problems).toEqual([expect.stringContaining(mixed)]);
    expect((await runGw(["resolve", all])).stdout).toMatch(new RegExp(`^${first} .* ${rightId} +127`, "m"));

    const pinned = await runGw(["check", "--json", all, `--cluster-id=${rightId}`]);
    const report: CheckReport = JSON.parse(pinned.stdout);
    expect(pinned).toMatchObject({ code: 1, stderr: "gw: error: 1 of 3 endpoints cannot serve\n" });
    expect(report.findings).toContainEqual({
      severity: "error",
      message: `${foreign} cannot serve: it is a member of cluster ${otherId}, not of ${rightId}`,
    });
    const wrong = await runGw(["resolve", "--json", `--endpoints=${foreign}`, `--cluster-id=${rightId}`]);
    expect(wrong).toMatchObject({ code: 1 });
    expect(JSON.parse(wrong.stdout)).toMatchObject({ endpoints: [{ usable: false }], problems: [/not of/] });
    const off = await runGw(["resolve", "--json", all, "--cluster-id=off"]);
    expect(JSON.parse(off.stdout).endpoints[0]).not.toHaveProperty("clusterId");
  });
});

describe.skipIf(missing("etcd", "etcdctl"))("a cluster that is rebuilt at the same addresses", () => {
  test("is accepted after the hold, with a warning", async () => {
    const ports = [await freePort(), await freePort()];
    const flags = { "listen-client-urls": ports.map(port => `http://127.0.0.1:${port}`).join(",") };
    const endpoints = ports.map(port => `127.0.0.1:${port}`).join(",");
    const old = await startEtcd(1, { flags });
    await using gw = await startGw([
      `--endpoints=${endpoints}`,
      "--cluster-id-hold=2s",
      "--retry-delay=200ms",
      "--max-retry-delay=200ms",
    ]);
    expect(await etcdctl(gw.address, "put", "x", "old")).toMatchObject({ code: 0 });
    const { clusterId } = await gw.logged(/^cluster identified$/);
    await old[Symbol.asyncDispose]();
    await using _rebuilt = await startEtcd(1, { flags });
    expect(await gw.logged(/^wrong cluster$/, { level: "error" })).toMatchObject({ clusterId });
    expect(await gw.logged(/^cluster rebuilt$/)).toMatchObject({ level: "warn", former: clusterId });
    expect(await etcdctl(gw.address, "put", "x", "new")).toMatchObject({ code: 0 });
  });
});

describe.skipIf(missing("etcd", "etcdctl", "openssl"))("members that cannot tell", () => {
  test("because they demand a client certificate are used, and tell with one", async () => {
    await using ca = await createAuthority();
    const { certFile, keyFile } = await ca.issue();
    await using cluster = await startEtcd(2, { tls: { certFile, keyFile, clientCaFile: ca.certFile } });
    const endpoints = cluster.members.map(({ endpoint }) => `https://${endpoint}`).join(",");
    await using without = await startGw([`--endpoints=${endpoints}`]);
    const members = cluster.members.map(({ endpoint }) => endpoint);
    expect(await without.logged(/^cluster unknown$/)).toMatchObject({ level: "info", endpoints: members });
    const tls = [`--cacert=${ca.certFile}`, `--cert=${certFile}`, `--key=${keyFile}`];
    expect(await etcdctl(`https://${without.address}`, "put", "x", "y", ...tls)).toMatchObject({ code: 0 });
    const files = [`--trusted-ca-file=${ca.certFile}`, `--cert-file=${certFile}`, `--key-file=${keyFile}`];
    await using withOne = await startGw([`--endpoints=${endpoints}`, ...files]);
    expect(await withOne.logged(/^cluster identified$/)).toMatchObject({ members });
  });

  test("with authentication on, a cluster is identified", async () => {
    await using cluster = await startEtcd(2);
    await enableAuth(cluster.members[0]?.endpoint ?? "");
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`]);
    expect(await gw.logged(/^cluster (?:identified|unknown)$/)).toMatchObject({ msg: "cluster identified" });
  });
});
