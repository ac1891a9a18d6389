// Faults of a member that a client notices by waiting. Regular checks are an hour apart here: they cannot help.
import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createAuthority,
  createNetwork,
  type EtcdCluster,
  type EtcdMember,
  etcdctl,
  type Gw,
  missing,
  noNetworks,
  runEtcdctl,
  runProgram,
  stallWrites,
  startCountingProxy,
  startEtcd,
  startGw,
} from "@gw/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { inUse } from "./in-use.js";

/** No check but the first one and those that clients cause. */
const rarely = "--health-interval=1h";
const status = "POST /v3/maintenance/status";

/** Sends a request of etcd's JSON API. */
function post(address: string, path: string, body: object, agent: Agent): ClientRequest {
  const [host, port] = address.split(":");
  const text = JSON.stringify(body);
  const headers = { "content-length": text.length };
  return request({ host, port, path, method: "POST", headers, agent }).end(text);
}

/** The body of the answer; rejects if the connection fails or the answer is an error. */
async function answer(sent: ClientRequest): Promise<string> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const text = Buffer.concat(await response.toArray()).toString();
  if (response.statusCode !== 200) throw new Error(text);
  return text;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A client without a timeout, retries or keepalive of its own, with one connection at a time. */
function patientClient(address: string): { put(): Promise<string> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return { put: () => answer(post(address, "/v3/kv/put", { key: base64("k"), value: base64("v") }, agent)) };
}

/** A client that gives up some time after each request, and resets its connection. Each put has a connection of its own. */
function impatientClient(address: string, timeoutMs = 1_000): { put(): Promise<string> } {
  return {
    async put() {
      const agent = new Agent();
      const sent = post(address, "/v3/kv/put", { key: base64("k"), value: base64("v") }, agent);
      const giveUp = setTimeout(() => sent.socket?.resetAndDestroy(), timeoutMs);
      try {
        return await answer(sent);
      } finally {
        clearTimeout(giveUp);
        agent.destroy();
      }
    },
  };
}

/** Puts until it works, as clients do: what is under way when a connection is closed may be lost. */
async function untilPut(put: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await put();
      return;
    } catch {
      await sleep(50);
    }
  }
}

/** The flags of a gateway whose first choice is the first member. */
const firstOf = (cluster: EtcdCluster): string[] => [`--endpoints=${cluster.endpoints}`, "--selector=first"];

/**
 * Puts until the put is served by `member`, the first choice of `gw`. A client may wait for so long on a busy machine that
 * new connections avoid that member for a moment.
 */
async function untilServedBy(
  member: EtcdMember | undefined,
  gw: Gw,
  cluster: EtcdCluster,
  put: () => Promise<unknown>,
): Promise<EtcdMember> {
  for (;;) {
    await untilPut(put);
    const used = await inUse(gw, cluster);
    if (used === member) return used;
  }
}

/** The leader, as its members say. */
async function leaderOf(cluster: EtcdCluster): Promise<EtcdMember> {
  for (;;) {
    const { stdout } = await etcdctl(cluster.endpoints, "endpoint", "status");
    // endpoint, id, version, size, is leader, …
    const leader = stdout.split("\n").find(line => line.split(", ")[4] === "true");
    if (leader) return cluster.member(leader.split(",", 1)[0] ?? "");
  }
}

/** `member` first. */
function endpointsFrom(cluster: EtcdCluster, member: EtcdMember): string {
  return [member, ...cluster.members.filter(one => one !== member)].map(({ endpoint }) => endpoint).join(",");
}

describe.skipIf(missing("etcd", "etcdctl"))("a client that waits", { timeout: 120_000 }, () => {
  test.each(["sticky-random", "round-robin"])(
    "for a member that hangs is served by another one, with %s",
    async selector => {
      await using cluster = await startEtcd();
      await using gw = await startGw([`--endpoints=${cluster.endpoints}`, `--selector=${selector}`, rarely]);
      const client = patientClient(gw.address);
      await untilPut(client.put);
      const hung = await inUse(gw, cluster);
      await hung.pause();
      await untilPut(client.put);
      expect(await inUse(gw, cluster)).not.toBe(hung);
      expect(await gw.logged(/^endpoint down$/)).toMatchObject({ endpoint: hung.endpoint });
      expect(await gw.logged(/^closing connections$/)).toMatchObject({
        endpoint: hung.endpoint,
        connections: 1,
      });
      hung.resume();
    },
  );

  test.each(["native", "js"])(
    "only a second at a time for a member that hangs is served by another one, with the %s relay",
    async relay => {
      await using cluster = await startEtcd();
      await cluster.settled();
      await using gw = await startGw([...firstOf(cluster), rarely, `--relay=${relay}`]);
      const hung = await untilServedBy(cluster.members[0], gw, cluster, () =>
        patientClient(gw.address).put(),
      );
      const client = impatientClient(gw.address);
      await hung.pause();
      let failed = 0;
      await untilPut(() =>
        client.put().catch(error => {
          failed += 1;
          throw error;
        }),
      );
      // The first is noticed, and the second waits during the check. The others are for slow machines.
      expect(failed).toBeLessThanOrEqual(8);
      expect(await inUse(gw, cluster)).not.toBe(hung);
      expect(await gw.logged(/^endpoint down$/)).toMatchObject({ endpoint: hung.endpoint });
      hung.resume();
    },
  );

  test("is not joined by others while the check of its member has no answer", async () => {
    await using cluster = await startEtcd();
    await cluster.settled();
    // So that the check of a waiting client may take ten seconds.
    await using gw = await startGw([...firstOf(cluster), rarely, "--health-timeout=20s"]);
    let waiting = patientClient(gw.address);
    const hung = await untilServedBy(cluster.members[0], gw, cluster, () => {
      waiting = patientClient(gw.address);
      return waiting.put();
    });
    await hung.pause();
    const answered = untilPut(waiting.put);
    // Too briefly to be evidence themselves.
    await untilPut(impatientClient(gw.address, 500).put);
    expect(gw.log.filter(({ msg }) => msg === "endpoint down")).toEqual([]);
    expect(await inUse(gw, cluster)).not.toBe(hung);
    hung.resume();
    await answered;
    // The policy still prefers the member that it had.
    await untilServedBy(cluster.members[0], gw, cluster, () => patientClient(gw.address).put());
  });

  test.skipIf(missing("strace"))(
    "for a leader whose disk hangs is served by another member, though that leader's status is good",
    async () => {
      await using cluster = await startEtcd();
      await cluster.settled();
      const stalled = await leaderOf(cluster);
      const flags = ["--selector=first", rarely, "--log-level=trace"];
      await using gw = await startGw([`--endpoints=${endpointsFrom(cluster, stalled)}`, ...flags]);
      let client = patientClient(gw.address);
      await untilServedBy(stalled, gw, cluster, () => {
        client = patientClient(gw.address);
        return client.put();
      });
      await using _ = await stallWrites(stalled.pid);
      await untilPut(client.put);
      expect(await gw.logged(/^endpoint down$/)).toMatchObject({ endpoint: stalled.endpoint });
      const checks = gw.log.filter(
        ({ msg, ...line }) => msg === "health check" && line["endpoint"] === stalled.endpoint,
      );
      expect(checks.at(-1)).toMatchObject({ reason: expect.anything() });
      expect(await inUse(gw, cluster)).not.toBe(stalled);
    },
  );

  test.skipIf(missing("openssl")).each([
    ["without a certificate that the members demand", false],
    ["with one", true],
  ])(
    "for a member that hangs is served by another one, over mutual TLS, by a gateway %s",
    async (_, isCertified) => {
      await using ca = await createAuthority();
      const { certFile, keyFile } = await ca.issue();
      await using cluster = await startEtcd(3, { tls: { certFile, keyFile, clientCaFile: ca.certFile } });
      const files = [`--trusted-ca-file=${ca.certFile}`, `--cert-file=${certFile}`, `--key-file=${keyFile}`];
      const flags = [...(isCertified ? files : []), rarely];
      const endpoints = cluster.members.map(({ endpoint }) => `https://${endpoint}`).join(",");
      await using gw = await startGw([`--endpoints=${endpoints}`, "--selector=first", ...flags]);
      const tls = [`--cacert=${ca.certFile}`, `--cert=${certFile}`, `--key=${keyFile}`];
      const put = async (): Promise<void> => {
        const { code, stderr } = await etcdctl(gw.address, "put", "k", "v", "--dial-timeout=15s", ...tls);
        if (code !== 0) throw new Error(stderr);
      };
      const hung = await untilServedBy(cluster.members[0], gw, cluster, put);
      await hung.pause();
      await untilPut(put);
      expect(await inUse(gw, cluster)).not.toBe(hung);
      expect(await gw.logged(/^endpoint down$/)).toMatchObject({ endpoint: hung.endpoint });
      hung.resume();
    },
  );

  test("for a lock keeps its connection, and costs the member one check in an interval at most", async () => {
    await using cluster = await startEtcd();
    await cluster.settled();
    const [member] = cluster.members as [EtcdMember];
    await using proxy = await startCountingProxy(member.endpoint);
    const flags = ["--health-interval=1s", "--stall-timeout=200ms"];
    await using gw = await startGw([`--endpoints=${proxy.address}`, ...flags]);
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const lock = async (): Promise<{ readonly lease: string; readonly sent: ClientRequest }> => {
      const granted = await answer(post(gw.address, "/v3/lease/grant", { TTL: 600 }, agent));
      const { ID: lease } = JSON.parse(granted) as { ID: string };
      return { lease, sent: post(gw.address, "/v3/lock/lock", { name: base64("lock"), lease }, agent) };
    };
    const held = await lock();
    await answer(held.sent);
    const waiting = await Promise.all([lock(), lock(), lock()]);
    const before = proxy.requests.get(status) ?? 0;
    await proxy.counted(status, before + 1);
    const since = performance.now();
    await proxy.counted(status, before + 4);
    // Three more, and the first of them may have been late.
    expect(performance.now() - since).toBeGreaterThan(2 * 900);
    expect(gw.log.filter(({ msg }) => /^(?:endpoint down|panic|closed)$/.test(msg))).toEqual([]);
    // A response that nobody awaits yet is lost.
    const served = Promise.any(waiting.map(({ sent }) => answer(sent)));
    await answer(post(gw.address, "/v3/lease/revoke", { ID: held.lease }, agent));
    await served;
    for (const { sent } of waiting) sent.destroy();
  });
});

describe.skipIf(missing("etcd", "etcdctl", "curl") || noNetworks())(
  "across a network",
  { timeout: 120_000 },
  () => {
    test("a client that waits for a member that has lost its peers is served by another one", async () => {
      await using network = await createNetwork(3);
      await using cluster = await startEtcd(3, { network });
      const { commandPrefix } = network;
      await using gw = await startGw([...firstOf(cluster), rarely], { commandPrefix });
      const put = async (): Promise<void> => {
        const curl = ["curl", "--silent", "--fail", "--data", '{"key":"aw==","value":"dg=="}'];
        const [command = "", ...rest] = [...commandPrefix, ...curl, `http://${gw.address}/v3/kv/put`];
        const { code } = await runProgram(command, rest);
        if (code !== 0) throw new Error(`curl: ${code}`);
      };
      const first = await untilServedBy(cluster.members[0], gw, cluster, put);
      await network.hosts[0]?.isolate();
      await untilPut(put);
      expect(await gw.logged(/^endpoint down$/)).toMatchObject({
        endpoint: first.endpoint,
        reason: expect.stringMatching(/leader/),
      });
      expect(await inUse(gw, cluster)).not.toBe(first);
      // Another client is not sent there either.
      expect(await runEtcdctl(commandPrefix, gw.address, ["put", "k", "w"])).toMatchObject({ code: 0 });
    });
  },
);
