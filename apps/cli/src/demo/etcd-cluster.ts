import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { type Address, GatewayError, sleep, systemClock } from "@gw/interface";
import { type Cluster, curlGet, curlPut, etcdctl, type Member } from "./cluster.js";
import { type EtcdProcess, etcdEnvironment, type Supervisor, startSupervisor } from "./etcd-supervisor.js";
import { httpGet } from "./http-get.js";

/** How long a member may take from its start until it is healthy, in milliseconds. */
const startTimeoutMs = 30_000;
const pollIntervalMs = 100;

/** Which programs of etcd are on the PATH. */
export interface InstalledEtcd {
  /** `3.5.21`. */
  readonly version: string;
  /** Whether there is an `etcdctl`, too. */
  readonly etcdctl: boolean;
}

/** The `etcd` on the PATH, or one line that says why there is none that runs. */
export async function findEtcd(signal: AbortSignal): Promise<InstalledEtcd | string> {
  try {
    const output = await run("etcd", ["--version"], signal);
    const etcdctl = await run("etcdctl", ["version"], signal).catch(() => undefined);
    const version = /etcd Version: *(\S+)/.exec(output)?.[1] ?? "unknown version";
    return { version, etcdctl: etcdctl !== undefined };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return "etcd is not on the PATH";
    return `etcd does not run: ${GatewayError.from(error, "etcd --version").detail}`;
  }
}

async function run(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const env = { ...etcdEnvironment(), ETCDCTL_API: "3" };
  const { stdout } = await promisify(execFile)(program, args, { env, signal, timeout: 10_000 });
  return stdout;
}

/**
 * Three processes of the installed etcd, as one cluster on 127.0.0.1, with their data in a temporary folder.
 * Processes and folder are removed when this process ends, however it ends.
 *
 * @throws {GatewayError} if the cluster cannot be started; then nothing of it is left
 */
export async function startEtcd(installed: InstalledEtcd, signal: AbortSignal): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "gw-demo-")).catch((error: unknown) => {
    throw GatewayError.from(error, "make a temporary folder");
  });
  const supervisor = startSupervisor(folder);
  const close = async (): Promise<void> => {
    await supervisor.close();
    // The supervisor has removed it, unless it was killed or could not be started.
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const members = await createMembers(folder, supervisor);
    await Promise.all(members.map(member => member.start(signal)));
    const description = `Three processes of etcd ${installed.version}, with their data in ${folder}.`;
    return { members, description, commands: address => commands(address, installed), close };
  } catch (error) {
    await close();
    signal.throwIfAborted();
    const { detail } = GatewayError.from(error, "start");
    throw new GatewayError("unknown", `cannot start etcd: ${detail}; --stand-in runs without etcd`, {
      cause: error,
    });
  }
}

async function createMembers(folder: string, supervisor: Supervisor): Promise<readonly Member[]> {
  const ports = await freePorts(6);
  const plan = [1, 2, 3].map((number, index) => ({
    name: `member ${number}`,
    id: `member-${number}`,
    client: ports[2 * index] ?? 0,
    peerUrl: `http://127.0.0.1:${ports[2 * index + 1]}`,
  }));
  return plan.map(({ name, id, client, peerUrl }) => {
    const args = [
      `--name=${id}`,
      `--data-dir=${join(folder, id)}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${plan.map(one => `${one.id}=${one.peerUrl}`).join(",")}`,
      `--initial-cluster-token=${basename(folder)}`,
      // The only logger from 3.5 on; 3.4 writes plain text without it.
      "--logger=zap",
      "--log-outputs=stderr",
      "--log-level=warn",
    ];
    return new EtcdMember(name, { host: "127.0.0.1", port: client }, () => supervisor.run(name, args));
  });
}

/** Different ports of 127.0.0.1 that are free now. Another program may take them at any time. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  try {
    await Promise.all(servers.map(server => once(server, "listening")));
    return servers.map(server => {
      const bound = server.address();
      return bound && typeof bound === "object" ? bound.port : 0;
    });
  } finally {
    for (const server of servers) server.close();
  }
}

/** A member that is an etcd process. */
class EtcdMember implements Member {
  readonly name: string;
  readonly address: Address;
  readonly #run: () => EtcdProcess;
  #process: EtcdProcess | undefined;

  /** @param run starts a process that serves clients at `address` */
  constructor(name: string, address: Address, run: () => EtcdProcess) {
    this.name = name;
    this.address = address;
    this.#run = run;
  }

  get running(): boolean {
    return this.#process?.ended.aborted === false;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#process = this.#run();
    try {
      await this.#healthy(this.#process.ended, signal);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#process?.kill();
  }

  /** Polls until the member is healthy, which takes a majority of the members. */
  async #healthy(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + startTimeoutMs;
    let why = "no answer yet";
    while (performance.now() < deadline) {
      signal.throwIfAborted();
      if (ended.aborted) throw new GatewayError("unknown", `${this.name}: etcd ended: ${ended.reason}`);
      try {
        const { status, text } = await httpGet(this.address, "/health", { timeoutMs: 2_000, signal });
        if (status === 200 && JSON.parse(text).health === "true") return;
        why = `/health answers ${status} ${text}`;
      } catch (error) {
        why = GatewayError.from(error, "/health").detail;
      }
      await sleep(pollIntervalMs, systemClock, signal);
    }
    const seconds = startTimeoutMs / 1_000;
    throw new GatewayError("timed-out", `${this.name}: etcd is not healthy after ${seconds} s: ${why}`);
  }
}

function commands(address: Address, installed: InstalledEtcd): ReturnType<Cluster["commands"]> {
  const throughJson = [
    ["put baz at foo through JSON, keys and values in base64", curlPut(address, "foo", "baz")],
    ["get foo through JSON", curlGet(address, "foo")],
  ] as const;
  if (!installed.etcdctl) return throughJson;
  return [
    [
      "watch foo, in a separate terminal: the watch continues when the member in use is stopped",
      etcdctl(address, "watch foo"),
    ],
    ["put bar at foo", etcdctl(address, "put foo bar")],
    ["get foo", etcdctl(address, "get foo")],
    ...throughJson,
  ];
}
