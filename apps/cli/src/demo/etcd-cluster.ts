import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Address, GatewayError } from "@gw/interface";
import type { Cluster, Member } from "./cluster.js";
import { etcdMember } from "./etcd-member.js";
import { freePorts } from "./free-ports.js";
import type { InstalledEtcd } from "./installed-etcd.js";
import { type Keeper, startKeeper } from "./keeper.js";
import { curlGet, curlPut, etcdctl } from "./shell.js";

/**
 * Three processes of the installed etcd, as one cluster on 127.0.0.1, with their data in a temporary folder.
 * Processes and folder are gone when this process is, in whatever way it ends.
 *
 * @throws {GatewayError} when the cluster cannot be started; then nothing is left of it
 */
export async function startEtcd(installed: InstalledEtcd, signal: AbortSignal): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "gw-demo-")).catch((error: unknown) => {
    throw GatewayError.from(error, "make a temporary folder");
  });
  const keeper = startKeeper(folder);
  const close = async (): Promise<void> => {
    await keeper.close();
    // The keeper has done it, unless it was killed or could not be started.
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const members = await createMembers(folder, keeper);
    await Promise.all(members.map(member => member.start(signal)));
    const description = `Three processes of etcd ${installed.version}, with their data in ${folder}.`;
    return { members, description, commands: address => commands(address, installed), close };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    const { detail } = GatewayError.from(error, "start");
    throw new GatewayError("unknown", `cannot start etcd: ${detail}; --stand-in does without`, {
      cause: error,
    });
  }
}

async function createMembers(folder: string, keeper: Keeper): Promise<readonly Member[]> {
  const ports = await freePorts(6);
  const plan = [1, 2, 3].map((number, index) => ({
    name: `member ${number}`,
    id: `member-${number}`,
    client: ports[2 * index] ?? 0,
    peerUrl: `http://127.0.0.1:${ports[2 * index + 1]}`,
  }));
  return plan.map(({ name, id, client, peerUrl }) =>
    etcdMember(name, { host: "127.0.0.1", port: client }, keeper, [
      `--name=${id}`,
      `--data-dir=${join(folder, id)}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${plan.map(one => `${one.id}=${one.peerUrl}`).join(",")}`,
      `--initial-cluster-token=${basename(folder)}`,
      // The only one from 3.5 on; 3.4 would write plain text without it.
      "--logger=zap",
      "--log-outputs=stderr",
      "--log-level=warn",
    ]),
  );
}

function commands(address: Address, installed: InstalledEtcd): ReturnType<Cluster["commands"]> {
  const throughJson = [
    ["put baz at foo through JSON, keys and values in base64", curlPut(address, "foo", "baz")],
    ["get foo through JSON", curlGet(address, "foo")],
  ] as const;
  if (!installed.etcdctl) return throughJson;
  return [
    [
      "watch foo, in a terminal of its own: it goes on when the member in use is stopped",
      etcdctl(address, "watch foo"),
    ],
    ["put bar at foo", etcdctl(address, "put foo bar")],
    ["get foo", etcdctl(address, "get foo")],
    ...throughJson,
  ];
}
