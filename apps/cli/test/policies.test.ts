// Policies that use what real members say of themselves to health checks.
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import {
  type EtcdCluster,
  type EtcdMember,
  etcdctl,
  type Gw,
  missing,
  startEtcd,
  startGw,
} from "@gw/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { inUse } from "./in-use.js";

/** So often that tests need not wait long for what members say. */
const quick = "--health-interval=200ms";

/** Connects until new connections go to `wanted`. */
async function untilUsed(gw: Gw, wanted: string): Promise<void> {
  for (;;) {
    const before = gw.log.length;
    await etcdctl(gw.address, "put", "k", "v");
    const connected = gw.log.slice(before).find(({ msg }) => msg === "connected");
    if (connected?.["endpoint"] === wanted) return;
  }
}

/** The members, the leader first, with their ids. */
async function byRole(cluster: EtcdCluster): Promise<{ member: EtcdMember; id: string }[]> {
  const { stdout } = await etcdctl(cluster.endpoints, "endpoint", "status");
  // endpoint, id, version, size, is leader, …
  const rows = stdout
    .trim()
    .split("\n")
    .map(line => line.split(", "));
  rows.sort((one, other) => Number(other[4] === "true") - Number(one[4] === "true"));
  return rows.map(([endpoint = "", id = ""]) => ({ member: cluster.member(endpoint), id }));
}

/** Passes connections on to `target`, its answers so much later. */
async function startSlow(target: string, delayMs: number): Promise<string> {
  const [host = "", port] = target.split(":");
  const server = createServer(client => {
    const member = connect({ host, port: Number(port) });
    client.pipe(member);
    member.on("data", data => setTimeout(() => client.write(data), delayMs));
    for (const [one, other] of [
      [client, member],
      [member, client],
    ] as const)
      one.on("error", () => {}).once("close", () => other.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.skipIf(missing("etcd", "etcdctl"))("with real members", () => {
  test("leader sends connections to the leader, and after an election to the new one", async () => {
    await using cluster = await startEtcd();
    await cluster.settled();
    const [leader, follower] = await byRole(cluster);
    if (!leader || !follower) throw new Error("there are fewer than two members");
    const selector = "--selector=leader:settle=100ms";
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`, selector, quick]);
    await untilUsed(gw, leader.member.endpoint);
    expect(await etcdctl(leader.member.endpoint, "move-leader", follower.id)).toMatchObject({ code: 0 });
    await untilUsed(gw, follower.member.endpoint);
    expect(await inUse(gw, cluster)).toBe(follower.member);
    expect(gw.log.filter(({ msg }) => msg === "endpoint down")).toEqual([]);
  });

  test("nearest sends connections to the member that answers soonest", async () => {
    await using cluster = await startEtcd();
    await cluster.settled();
    const [near, ...others] = cluster.members.map(({ endpoint }) => endpoint);
    const far = await Promise.all(others.map(endpoint => startSlow(endpoint, 200)));
    const selector = "--selector=nearest:settle=100ms,min-tolerance=50ms";
    await using gw = await startGw([`--endpoints=${[...far, near].join(",")}`, selector, quick]);
    await untilUsed(gw, near ?? "");
    const before = gw.log.length;
    for (let put = 0; put < 5; put++) await etcdctl(gw.address, "put", "k", "v");
    const connected = gw.log.slice(before).filter(({ msg }) => msg === "connected");
    expect(new Set(connected.map(line => line["endpoint"]))).toEqual(new Set([near]));
  });
});
