// Members that fail in ways that no dial can see, and what the gateway makes of them.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTo,
  createAuthority,
  createNetwork,
  type EtcdMember,
  echo,
  etcdctl,
  type Gw,
  missing,
  noNetworks,
  outcome,
  runEtcdctl,
  startBackend,
  startEtcd,
  startGw,
  startWatch,
} from "@gw/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { count, inUse } from "./in-use.js";

/** Checks often, so that tests need not wait long. */
const quick = ["--health-interval=500ms", "--health-timeout=1s", "--retry-delay=1s"];

/** Puts until it works: what is in flight when a connection is closed may be lost, and clients ask again. */
async function put(gw: Gw, key: string, value: string, commandPrefix: readonly string[] = []): Promise<void> {
  for (;;) if ((await runEtcdctl(commandPrefix, gw.address, ["put", key, value])).code === 0) return;
}

/** Waits until the log says that `member` was marked down, and why. */
async function endpointDown(gw: Gw, { endpoint }: EtcdMember, why: string): Promise<void> {
  await gw.printed(
    new RegExp(`"endpoint":"${endpoint}","reason":"[^\\n]*${why}[^\\n]*"msg":"endpoint down"`),
  );
}

/** Waits until the log says that `member` is used again. Others may have been away as well meanwhile. */
async function back(gw: Gw, { endpoint }: EtcdMember): Promise<void> {
  await gw.printed(new RegExp(`"endpoint":"${endpoint}",[^\\n]*"msg":"endpoint up"`));
}

/** A connection through the gateway to a server that echoes. */
async function establish(gw: Gw): Promise<Socket> {
  const client = await connectTo(gw.port);
  client.write("hello");
  await once(client, "data");
  return client;
}

describe.skipIf(missing("etcd", "etcdctl"))("in front of a real etcd cluster of three", () => {
  test("a member that hangs: its connections are closed, puts and a watch go on; it comes back and pulls nothing to itself", async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, ...quick]);
    await using watch = startWatch(gw.address, "k");
    expect(await etcdctl(gw.address, "put", "k0", "before")).toMatchObject({ code: 0 });
    while (!watch.output.includes("before")) await etcdctl(gw.address, "put", "k0", "before");
    const hung = await inUse(gw, cluster);

    await hung.pause();
    // A leader that hangs is followed by an election, whose errors are etcd's own.
    await cluster.settledWithout(hung);
    await put(gw, "k1", "during");
    await endpointDown(gw, hung, "no answer within");
    expect(await gw.logged(/closing connections/)).toMatchObject({ endpoint: hung.endpoint });
    await watch.printed(/during/);
    const successor = await inUse(gw, cluster);
    expect(successor).not.toBe(hung);
    expect(await gw.logged(/failover/)).toMatchObject({ from: hung.endpoint, to: successor.endpoint });

    hung.resume();
    await back(gw, hung);
    expect(await etcdctl(gw.address, "put", "k2", "after")).toMatchObject({ code: 0 });
    await watch.printed(/after/);
    expect(await inUse(gw, cluster)).toBe(successor);

    // It is used again when its turn comes.
    const others = cluster.members.filter(member => member !== hung);
    await Promise.all(others.map(member => member.crash()));
    await etcdctl(gw.address, "get", "k0", "--consistency=s");
    expect(await inUse(gw, cluster)).toBe(hung);
  });

  test("without health checks it is not noticed, as with a gateway that only dials", async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, "--health-check=off"]);
    expect(await etcdctl(gw.address, "put", "k", "v")).toMatchObject({ code: 0 });
    const hung = await inUse(gw, cluster);
    await hung.pause();
    expect(await etcdctl(gw.address, "get", "k", "--command-timeout=3s")).toMatchObject({ code: 1 });
    expect(count(gw, /endpoint down/)).toBe(0);
    expect(await inUse(gw, cluster)).toBe(hung);
  });

  test("without a quorum connections stay where they are, and clients see etcd's own errors", async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, ...quick]);
    expect(await etcdctl(gw.address, "put", "k", "v")).toMatchObject({ code: 0 });
    const used = await inUse(gw, cluster);
    const others = cluster.members.filter(member => member !== used);
    await Promise.all(others.map(member => member.crash()));
    expect(await gw.logged(/^panic$/, { cause: "cluster" })).toMatchObject({ endpoints: [used.endpoint] });
    const put = await etcdctl(gw.address, "put", "k", "w", "--command-timeout=4s");
    expect(put).toMatchObject({ code: 1 });
    expect(await etcdctl(gw.address, "get", "k", "--consistency=s", "--print-value-only")).toMatchObject({
      stdout: "v\n",
    });
    expect(await inUse(gw, cluster)).toBe(used);
    expect(count(gw, /failover/)).toBe(0);
    await Promise.all(others.map(member => member.restart()));
    await cluster.settled();
    await gw.logged(/panic over/);
    expect(await etcdctl(gw.address, "put", "k", "w")).toMatchObject({ code: 0 });
    expect(await inUse(gw, cluster)).toBe(used);
  });

  test("a member that flaps changes nothing for clients once they have left it", {
    timeout: 120_000,
  }, async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, ...quick]);
    expect(await etcdctl(gw.address, "put", "k", "v")).toMatchObject({ code: 0 });
    const flapping = await inUse(gw, cluster);
    await flapping.pause();
    await gw.logged(/endpoint down/);
    // It hangs and goes on, each time for as long as it takes for that to be found out.
    for (let flap = 1; flap <= 4; flap++) {
      flapping.resume();
      while (count(gw, /endpoint up/) < flap) await once(gw.child, "printed");
      await flapping.pause();
      while (count(gw, /endpoint down/) < flap + 1) await once(gw.child, "printed");
      await cluster.settledWithout(flapping);
      expect(await etcdctl(gw.address, "put", "k", `${flap}`)).toMatchObject({ code: 0 });
    }
    expect(count(gw, /failover/)).toBe(1);
    flapping.resume();
  });

  test.skipIf(missing("openssl"))(
    "a CA that is not the one of the cluster, for all members: traffic goes on, and the log says why",
    async () => {
      await using ca = await createAuthority();
      await using other = await createAuthority("another CA");
      const { certFile, keyFile } = await ca.issue();
      await using cluster = await startEtcd(3, { tls: { certFile, keyFile } });
      const folder = await mkdtemp(join(tmpdir(), "gw-health-"));
      onTestFinished(() => rm(folder, { recursive: true }));
      // What is written without https:// is not validated, so that it serves; it is checked anyway.
      const file = join(folder, "endpoints.json");
      await writeFile(file, JSON.stringify(cluster.members.map(({ endpoint }) => endpoint)));
      await using gw = await startGw([
        `--endpoints-file=${file}`,
        `--trusted-ca-file=${other.certFile}`,
        ...quick,
      ]);
      expect(await gw.logged(/^panic$/, { cause: "cluster" })).toMatchObject({
        level: "warn",
        reason: expect.stringMatching(/certificate|CA|issuer/i),
      });
      const put = await etcdctl(gw.address, "put", "k", "v", `--cacert=${ca.certFile}`);
      expect(put).toMatchObject({ code: 0 });
      expect(count(gw, /endpoint down/)).toBe(0);
    },
  );
});

describe.skipIf(missing("etcd", "etcdctl") || noNetworks())("across a network", { timeout: 120_000 }, () => {
  test("a member that is cut off from its peers is found by asking etcd, and by a connection it is not", async () => {
    await using network = await createNetwork(3);
    await using cluster = await startEtcd(3, { network });
    const { commandPrefix } = network;
    const flags = [`--endpoints=${cluster.endpoints}`, "--selector=first", ...quick];
    await using asking = await startGw(flags, { commandPrefix });
    await using connecting = await startGw([...flags, "--health-check=tcp"], { commandPrefix });
    for (const gw of [asking, connecting]) await put(gw, "k", "v", commandPrefix);
    const [first] = cluster.members as [EtcdMember];
    await network.hosts[0]?.isolate();
    await endpointDown(asking, first, "(?:no leader|does not agree)");
    await cluster.settledWithout(first);
    await put(asking, "k", "w", commandPrefix);
    expect(await inUse(asking, cluster)).not.toBe(first);
    const stuck = await runEtcdctl(commandPrefix, connecting.address, [
      "put",
      "k",
      "x",
      "--command-timeout=3s",
    ]);
    expect(stuck).toMatchObject({ code: 1 });
    expect(await inUse(connecting, cluster)).toBe(first);
    expect(count(connecting, /endpoint down/)).toBe(0);
    await network.hosts[0]?.rejoin();
    await back(asking, first);
  });

  test("a cluster whose members are all cut off from each other is not left for itself", async () => {
    await using network = await createNetwork(3);
    await using cluster = await startEtcd(3, { network });
    const { commandPrefix } = network;
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, ...quick], { commandPrefix });
    const put = (...args: readonly string[]) =>
      runEtcdctl(commandPrefix, gw.address, ["put", "k", "v", ...args]);
    expect(await put()).toMatchObject({ code: 0 });
    const used = await inUse(gw, cluster);
    await Promise.all(network.hosts.map(host => host.isolate()));
    await gw.logged(/^panic$/, { cause: "cluster" });
    expect(await put("--command-timeout=10s")).toMatchObject({ code: 1 });
    expect(await inUse(gw, cluster)).toBe(used);
    expect(count(gw, /endpoint down/)).toBe(0);
    await Promise.all(network.hosts.map(host => host.rejoin()));
    await gw.logged(/panic over/);
  });

  test("connections to a host that disappeared are closed, though a dial failed first", async () => {
    await using network = await createNetwork(3);
    await using cluster = await startEtcd(3, { network });
    const { commandPrefix } = network;
    const flags = [`--endpoints=${cluster.endpoints}`, "--selector=first", "--connect-timeout=1s"];
    // So seldom that a dial is first.
    await using gw = await startGw([...flags, "--health-interval=1h", "--health-timeout=2s"], {
      commandPrefix,
    });
    await using watch = startWatch(gw.address, "k", commandPrefix);
    expect(await runEtcdctl(commandPrefix, gw.address, ["put", "k", "before"])).toMatchObject({ code: 0 });
    while (!watch.output.includes("before"))
      await runEtcdctl(commandPrefix, gw.address, ["put", "k", "before"]);
    await network.hosts[0]?.vanish();
    expect(await runEtcdctl(commandPrefix, gw.address, ["get", "k"])).toMatchObject({ code: 0 });
    expect(await gw.logged(/closing connections/)).toMatchObject({
      endpoint: cluster.members[0]?.endpoint,
      connections: 1,
    });
    const [first] = cluster.members as [EtcdMember];
    await cluster.settledWithout(first);
    expect(await runEtcdctl(commandPrefix, gw.address, ["put", "k", "after"])).toMatchObject({ code: 0 });
    await watch.printed(/after/);
  });
});

describe("any server", () => {
  test("whose connection is reset is checked at once", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([
      `--endpoints=127.0.0.1:${backend.port}`,
      "--health-check=tcp",
      "--health-interval=1h",
    ]);
    // The first check; the next one would be in an hour.
    await gw.logged(/health check/);
    const client = await establish(gw);
    const ended = outcome(client);
    const served = [...backend.sockets].at(-1);
    const before = backend.accepted;
    served?.resetAndDestroy();
    expect(await ended).toMatchObject({ end: "ECONNRESET" });
    while (backend.accepted === before) await backend.next();
  });

  test.each([
    ["close", "ECONNRESET"],
    ["leave", "end"],
  ])("that is marked down by health checks: its connections under --on-unhealthy=%s", async (how, end) => {
    await using failing = await startBackend(socket => {
      // A health check gets no response; a client gets its bytes back.
      socket.once("data", data => (data.includes("GET ") ? socket.destroy() : socket.write(data)));
    });
    await using healthy = await startBackend(socket => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    });
    await using gw = await startGw([
      `--endpoints=127.0.0.1:${failing.port},127.0.0.1:${healthy.port}`,
      "--selector=first",
      "--health-check=http",
      "--health-interval=500ms",
      `--on-unhealthy=${how}`,
    ]);
    const client = await establish(gw);
    await gw.logged(/endpoint down/);
    const ended = outcome(client);
    if (how === "leave") for (const socket of failing.sockets) socket.end();
    expect(await ended).toMatchObject({ end });
  });

  test("of a hundred is checked, with a bounded number of connections", async () => {
    const backends = await Promise.all(Array.from({ length: 100 }, () => startBackend(echo)));
    onTestFinished(async () => {
      await Promise.all(backends.map(backend => backend[Symbol.asyncDispose]()));
    });
    const endpoints = backends.map(({ port }) => `127.0.0.1:${port}`).join(",");
    await using gw = await startGw([`--endpoints=${endpoints}`, ...quick]);
    await Promise.all(backends.map(backend => backend.next()));
    const client = await establish(gw);
    const used = backends.find(backend => [...backend.sockets].some(socket => socket.bytesRead === 5));
    await used?.stop();
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await gw.logged(/endpoint down/)).toMatchObject({ endpoint: `127.0.0.1:${used?.port}` });
    await establish(gw);
  });
});
