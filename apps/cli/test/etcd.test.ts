import {
  type EtcdCluster,
  type EtcdMember,
  etcdctl,
  type Gw,
  missing,
  runProgram,
  startEtcd,
  startGw,
  startWatch,
} from "@gw/testing";
import { describe, expect, test } from "vitest";
import { inUse } from "./in-use.js";

/** A gateway that finds out soon what has changed. */
function startQuickGw(cluster: EtcdCluster): Promise<Gw> {
  return startGw([`--endpoints=${cluster.endpoints}`, "--retry-delay=300ms", "--connect-timeout=2s"]);
}

/** Puts and gets a key through the gateway, and expects both to work. */
async function putAndGet(gw: Gw, key: string): Promise<void> {
  expect(await etcdctl(gw.address, "put", key, `value of ${key}`)).toMatchObject({ code: 0, stdout: "OK\n" });
  const got = await etcdctl(gw.address, "get", key, "--print-value-only");
  expect(got).toMatchObject({ code: 0, stdout: `value of ${key}\n` });
}

describe.skipIf(missing("etcd", "etcdctl"))("in front of a real etcd cluster of three", () => {
  test("put, get, txn and lease work through the gateway, over one member", async () => {
    await using cluster = await startEtcd();
    await using gw = await startQuickGw(cluster);
    await putAndGet(gw, "k");
    const txn = await runProgram("sh", [
      "-c",
      `printf 'value("k") = "value of k"\\n\\nput k2 yes\\n\\nput k2 no\\n\\n' | ETCDCTL_API=3 etcdctl --endpoints=${gw.address} txn`,
    ]);
    expect(txn).toMatchObject({ code: 0, stdout: expect.stringContaining("SUCCESS") });
    expect(await etcdctl(gw.address, "get", "k2", "--print-value-only")).toMatchObject({ stdout: "yes\n" });
    const granted = await etcdctl(gw.address, "lease", "grant", "60");
    const lease = /lease (\w+) granted/.exec(granted.stdout)?.[1] ?? "";
    expect(await etcdctl(gw.address, "put", "leased", "x", `--lease=${lease}`)).toMatchObject({ code: 0 });
    const left = await etcdctl(gw.address, "lease", "timetolive", lease, "--keys");
    expect(left.stdout).toContain("leased");
    await inUse(gw, cluster);
    const used = gw.log.filter(line => line.msg === "connected").map(line => line["endpoint"]);
    expect(new Set(used).size).toBe(1);
  });

  test("when the member in use is killed, the next command succeeds and a watch goes on", async () => {
    await using cluster = await startEtcd();
    await using gw = await startQuickGw(cluster);
    await using watch = startWatch(gw.address, "watched");
    await putAndGet(gw, "warm-up");
    while (!/first/.test(watch.output)) await etcdctl(gw.address, "put", "watched", "first");
    const killed = await inUse(gw, cluster);
    await killed.crash();
    const next = await etcdctl(gw.address, "get", "warm-up", "--consistency=s", "--print-value-only");
    expect(next).toMatchObject({ code: 0, stdout: "value of warm-up\n" });
    await cluster.settled();
    await putAndGet(gw, "after");
    expect(await inUse(gw, cluster)).not.toBe(killed);
    const switched = await gw.logged(/failover/);
    expect(switched).toMatchObject({ from: killed.endpoint, to: (await inUse(gw, cluster)).endpoint });
    expect(await gw.logged(/endpoint down/)).toMatchObject({ endpoint: killed.endpoint });
    expect(await etcdctl(gw.address, "put", "watched", "second")).toMatchObject({ code: 0 });
    await watch.printed(/second/);

    const successor = await inUse(gw, cluster);
    await killed.restart();
    expect(await gw.logged(/endpoint up/)).toMatchObject({ endpoint: killed.endpoint });
    await putAndGet(gw, "after its return");
    expect(await inUse(gw, cluster)).toBe(successor);
  });

  test("two of three down and one back, then all down and up: service returns each time", async () => {
    await using cluster = await startEtcd();
    await using gw = await startQuickGw(cluster);
    await putAndGet(gw, "all up");
    const [first, second, third] = cluster.members as [EtcdMember, EtcdMember, EtcdMember];
    await first.crash();
    await second.crash();
    // Without quorum etcd itself answers with an error; the gateway still gets the client to the last member.
    expect(await etcdctl(gw.address, "put", "no quorum", "x", "--command-timeout=2s")).toMatchObject({
      code: 1,
    });
    expect(await inUse(gw, cluster)).toBe(third);
    await first.restart();
    await cluster.settled();
    await putAndGet(gw, "quorum again");

    await Promise.all([first.crash(), third.crash()]);
    expect(await etcdctl(gw.address, "get", "x", "--command-timeout=2s")).toMatchObject({ code: 1 });
    expect(await gw.logged(/^panic$/, { cause: "all-down" })).toMatchObject({ level: "warn" });
    await Promise.all(cluster.members.map(member => member.restart()));
    await cluster.settled();
    await putAndGet(gw, "all up again");
    expect(gw.log.filter(line => line.msg === "panic" && line["cause"] === "all-down")).toHaveLength(1);
  });
});
