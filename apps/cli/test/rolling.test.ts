import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type EtcdCluster,
  type EtcdMember,
  etcdctl,
  type Gw,
  missing,
  startDnsServer,
  startEtcd,
  startGw,
} from "@gw/testing";
import { describe, expect, test } from "vitest";

/** Puts one key after the other through the gateway until it is stopped; returns how many failed. */
function putAllTheTime(gw: Gw): {
  stop(): Promise<{ readonly puts: number; readonly failures: readonly string[] }>;
} {
  let stopped = false;
  const running = (async () => {
    const failures: string[] = [];
    let puts = 0;
    while (!stopped) {
      puts += 1;
      const { code, stderr } = await etcdctl(gw.address, "put", `key${puts}`, "value", "--dial-timeout=15s");
      // While its leader changes, etcd itself answers with errors, which a gateway passes on as any answer.
      if (code !== 0 && !/Error: etcdserver: /.test(stderr)) failures.push(stderr);
    }
    return { puts, failures };
  })();
  return {
    stop() {
      stopped = true;
      return running;
    },
  };
}

/** Waits until no connection is left to a member that the gateway gives no new ones, while there are puts. */
async function drained(gw: Gw, { endpoint }: EtcdMember): Promise<void> {
  const port = endpoint.slice(endpoint.lastIndexOf(":"));
  const count = (msg: string, end = ""): number =>
    gw.log.filter(line => line.msg === msg && String(line["endpoint"]).endsWith(end)).length;
  // A put may have been connected to it already, and be reported a moment later; puts follow each other.
  const ended = count("closed");
  while (count("closed") < ended + 2 || count("connected", port) > count("closed", port))
    await once(gw.child, "printed");
}

/**
 * Replaces all members one by one: a new one joins, `publish` tells the gateway, an old one is taken out of what is
 * published, and then, when what was in flight is done, of the cluster.
 */
async function replaceAll(
  cluster: EtcdCluster,
  gw: Gw,
  publish: (endpoints: readonly string[]) => Promise<void>,
) {
  for (const old of [...cluster.members]) {
    const joined = await cluster.add();
    const staying = cluster.members.filter(member => member !== old).map(({ endpoint }) => endpoint);
    await publish(staying);
    await gw.printed(new RegExp(`"removed":\\[[^\\]]*:${old.endpoint.split(":")[1]}"[^\\n]*pool changed`));
    expect(staying).toContain(joined.endpoint);
    await drained(gw, old);
    await cluster.remove(old);
  }
}

const refresh = [
  "--discovery-min-refresh=100ms",
  "--drain-timeout=20s",
  "--retry-delay=500ms",
  // A member whose disk is slow for seconds, as on a busy machine, would be left by a put that waits.
  "--stall-timeout=0",
];

describe.skipIf(missing("etcd", "etcdctl", "knotd", "knotc"))(
  "all three members are replaced one by one under load, and no application notices",
  { timeout: 180_000 },
  () => {
    test("with SRV records, where only DNS is changed", async () => {
      await using cluster = await startEtcd();
      const zone = (endpoints: readonly string[]): string =>
        [
          "infra A 127.0.0.1",
          ...endpoints.map(one => `_etcd-client._tcp 1 SRV 0 0 ${one.split(":")[1]} infra`),
        ].join("\n");
      await using dns = await startDnsServer({ zone: zone(cluster.endpoints.split(",")) });
      await using gw = await startGw([
        "--discovery-srv=example.com",
        "--insecure-discovery",
        `--dns-server=127.0.0.1:${dns.address.port}`,
        ...refresh,
      ]);
      const load = putAllTheTime(gw);
      await replaceAll(cluster, gw, endpoints => dns.update(zone(endpoints)));
      const { puts, failures } = await load.stop();
      expect(failures).toEqual([]);
      expect(puts).toBeGreaterThan(10);
    });

    test("with a file, which is replaced atomically", async () => {
      await using cluster = await startEtcd();
      const folder = await mkdtemp(join(tmpdir(), "gw-rolling-"));
      const path = join(folder, "endpoints.json");
      const publish = async (endpoints: readonly string[]): Promise<void> => {
        await writeFile(`${path}.new`, JSON.stringify(endpoints));
        await rename(`${path}.new`, path);
      };
      await publish(cluster.endpoints.split(","));
      await using gw = await startGw([`--endpoints-file=${path}`, ...refresh]);
      const load = putAllTheTime(gw);
      await replaceAll(cluster, gw, publish);
      const { failures } = await load.stop();
      expect(failures).toEqual([]);
      await rm(folder, { recursive: true });
    });

    test("with the member list, where nothing is changed but the cluster", async () => {
      await using cluster = await startEtcd();
      await using gw = await startGw([
        `--endpoints=${cluster.endpoints}`,
        "--discovery-members",
        "--members-interval=100ms",
        ...refresh,
      ]);
      const load = putAllTheTime(gw);
      for (const old of [...cluster.members]) {
        const learner = await cluster.add({ learner: true });
        const port = learner.endpoint.split(":")[1];
        await gw.printed(new RegExp(`"endpoint":"[^"]*:${port}"[^\\n]*learner`));
        await cluster.promote(learner);
        await gw.printed(new RegExp(`"added":\\[[^\\]]*:${port}"[^\\n]*pool changed`));
        await cluster.remove(old);
        await gw.printed(
          new RegExp(`"removed":\\[[^\\]]*:${old.endpoint.split(":")[1]}"[^\\n]*pool changed`),
        );
      }
      const { puts, failures } = await load.stop();
      // A member that is removed ends at once; what is in flight on it then may fail, and nothing else.
      expect(failures.length).toBeLessThanOrEqual(3);
      expect(puts).toBeGreaterThan(10);
    });
  },
);
