import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type EtcdVersion, findEtcd } from "./etcd-versions.js";
import type { Network } from "./namespaces.js";
import { type Outcome, type Program, runProgram, startProgram } from "./program.js";
import { freePort } from "./sockets.js";

/** One member of a real etcd cluster. */
export interface EtcdMember {
  readonly name: string;
  /** `127.0.0.1:port` of its client URL. */
  readonly endpoint: string;
  /** Of its process. */
  readonly pid: number;
  /** Ends the process with SIGKILL, as a crash would. Resolves when it has ended. */
  crash(): Promise<void>;
  /** Starts it again with the same data. Resolves when it serves. */
  restart(): Promise<void>;
  /** Stops the process with SIGSTOP: connections stay open and new ones are accepted, but nothing is answered. */
  pause(): Promise<void>;
  /** Continues the process. */
  resume(): void;
}

/** A real etcd cluster on loopback. `await using` ends its processes and removes its folder. */
export interface EtcdCluster extends AsyncDisposable {
  readonly members: readonly EtcdMember[];
  /** The client endpoints, comma-separated. */
  readonly endpoints: string;
  /** The member with this endpoint. */
  member(endpoint: string): EtcdMember;
  /**
   * Resolves when the cluster accepts writes again, without a gateway: after a crash it elects a leader, and no
   * gateway can hide the errors of that time from clients.
   */
  settled(): Promise<void>;
  /** As {@link settled}, without one member, which hangs or is unreachable. */
  settledWithout(member: EtcdMember | undefined): Promise<void>;
  /** Adds a member, as a learner if asked, and starts it. Resolves when it serves. */
  add(options?: { readonly learner?: boolean }): Promise<EtcdMember>;
  /** Makes a learner a voting member. */
  promote(member: EtcdMember): Promise<void>;
  /** Removes a member from the cluster as an operator does, without an election, then ends its process. */
  remove(member: EtcdMember): Promise<void>;
}

/** Options of {@link startEtcd}. */
export interface EtcdOptions {
  /** @default the `etcd` on the PATH, whatever its version */
  readonly version?: EtcdVersion;
  /** Flags of each member, without dashes; they override those that the cluster has otherwise. @default none */
  readonly flags?: { readonly [flag: string]: string };
  /** Runs each member on its own host; needs as many hosts as members. @default all on loopback */
  readonly network?: Network;
  /** Folders below which the members keep their data, one for each. @default the folder of temporary files */
  readonly dataFolders?: readonly string[];
  /** Makes clients use TLS. Members read the files for each connection. @default plain text */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** The CA of client certificates, which are then demanded. */
    readonly clientCaFile?: string;
  };
}

/** Starts `size` members; resolves when all serve. Needs `etcd` of that version, see {@link missingEtcd}. */
export async function startEtcd(size = 3, options: EtcdOptions = {}): Promise<EtcdCluster> {
  for (let tries = 1; ; tries++)
    try {
      return await startOnce(size, options);
    } catch (error) {
      // Another program may have taken a port that was free.
      if (tries === 3 || !/address already in use/.test(String(error))) throw error;
    }
}

async function startOnce(size: number, options: EtcdOptions): Promise<EtcdCluster> {
  const { tls, network, version, dataFolders = [], flags: extraFlags } = options;
  const etcd = version === undefined ? "etcd" : findEtcd(version);
  if (etcd === undefined) throw new Error(`there is no etcd ${version}`);
  const etcdctl = (endpoint: string, ...args: readonly string[]): Promise<Outcome> =>
    runEtcdctl(network?.commandPrefix ?? [], endpoint, args);
  const folder = await mkdtemp(join(tmpdir(), "gw-etcd-"));
  const running = new Map<string, Program>();
  const members: EtcdMember[] = [];
  const scheme = tls ? "https" : "http";
  const tlsFlags = {
    ...(tls && { "cert-file": tls.certFile, "key-file": tls.keyFile }),
    ...(tls?.clientCaFile && { "trusted-ca-file": tls.clientCaFile, "client-cert-auth": "true" }),
  };
  let planned = 0;
  const plan = async (): Promise<Plan> => {
    planned += 1;
    const name = `m${planned}`;
    const host = network?.hosts[planned - 1];
    const dataFolder = join(dataFolders[planned - 1] ?? tmpdir(), basename(folder), name);
    if (host) {
      const { client, peer, commandPrefix } = host;
      return { name, dataFolder, endpoint: `${client}:2379`, peer: `http://${peer}:2380`, commandPrefix };
    }
    const [client, peer] = [await freePort(), await freePort()];
    const [endpoint, peerUrl] = [`127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
    return { name, dataFolder, endpoint, peer: peerUrl, commandPrefix: [] };
  };
  const memberOf = (
    { name, dataFolder, endpoint, peer, commandPrefix }: Plan,
    clusterFlags: { readonly [flag: string]: string },
  ): EtcdMember => ({
    name,
    endpoint,
    get pid() {
      return running.get(name)?.pid ?? 0;
    },
    async crash() {
      await running.get(name)?.[Symbol.asyncDispose]();
    },
    pause: async () => running.get(name)?.pause(),
    resume: () => running.get(name)?.resume(),
    async restart() {
      const flags = {
        name,
        "data-dir": dataFolder,
        "listen-client-urls": `${scheme}://${endpoint}`,
        "advertise-client-urls": `${scheme}://${endpoint}`,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster-token": folder,
        "heartbeat-interval": "100",
        "election-timeout": "1000",
        ...clusterFlags,
        ...tlsFlags,
        ...extraFlags,
      };
      const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
      const [command = "", ...rest] = [...commandPrefix, etcd, ...args];
      const program = startProgram(command, rest, { cwd: folder });
      running.set(name, program);
      await program.printed(
        /ready to serve client requests|serving (?:insecure )?client (?:requests|traffic)/,
      );
    },
  });
  const cluster: EtcdCluster = {
    members,
    get endpoints() {
      return members.map(({ endpoint }) => endpoint).join(",");
    },
    member(endpoint) {
      const found = members.find(member => member.endpoint === endpoint);
      if (!found) throw new Error(`no member has the endpoint ${endpoint}`);
      return found;
    },
    settled: () => cluster.settledWithout(undefined),
    async settledWithout(member) {
      // etcdctl may use an endpoint that is down until it times out.
      const up = members.filter(one => one !== member && running.get(one.name)?.running);
      const endpoints = up.map(({ endpoint }) => endpoint).join(",");
      await untilOk(() => etcdctl(endpoints, "put", "settled", "yes", "--command-timeout=5s"));
    },
    async add({ learner = false } = {}) {
      const planned = await plan();
      const { name, peer } = planned;
      const flags = [`--peer-urls=${peer}`, ...(learner ? ["--learner"] : [])];
      const added = await untilOk(() => etcdctl(cluster.endpoints, "member", "add", name, ...flags));
      const initialCluster = /ETCD_INITIAL_CLUSTER="([^"]+)"/.exec(added.stdout)?.[1] ?? "";
      const member = memberOf(planned, {
        "initial-cluster": initialCluster,
        "initial-cluster-state": "existing",
      });
      await member.restart();
      members.push(member);
      return member;
    },
    async promote({ name }) {
      // etcd refuses until the learner has caught up.
      await untilOk(async () =>
        etcdctl(cluster.endpoints, "member", "promote", await idOf(cluster, name, etcdctl)),
      );
    },
    async remove(member) {
      const id = await idOf(cluster, member.name, etcdctl);
      members.splice(members.indexOf(member), 1);
      // Fails if the member is not the leader, and then there is nothing to do.
      const successor = await idOf(cluster, members[0]?.name ?? "", etcdctl);
      await etcdctl(member.endpoint, "move-leader", successor);
      await untilOk(() => etcdctl(cluster.endpoints, "member", "remove", id));
      await member.crash();
    },
    async [Symbol.asyncDispose]() {
      for (const program of running.values()) await program[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    const plans: Plan[] = [];
    for (let member = 0; member < size; member++) plans.push(await plan());
    const initialCluster = plans.map(({ name, peer }) => `${name}=${peer}`).join(",");
    members.push(...plans.map(plan => memberOf(plan, { "initial-cluster": initialCluster })));
    await Promise.all(members.map(member => member.restart()));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

interface Plan {
  readonly name: string;
  readonly dataFolder: string;
  readonly endpoint: string;
  readonly peer: string;
  /** Command and arguments that run it on its host when placed before it. */
  readonly commandPrefix: readonly string[];
}

/** The id of a member by its name, also before it is started. */
async function idOf(cluster: EtcdCluster, name: string, etcdctl: Etcdctl): Promise<string> {
  const { stdout } = await untilOk(() => etcdctl(cluster.endpoints, "member", "list"));
  const line = stdout.split("\n").find(line => line.split(", ")[2] === name);
  if (!line) throw new Error(`no member is called ${name}:\n${stdout}`);
  return line.split(",", 1)[0] ?? "";
}

/** Runs a command again until it succeeds: etcd refuses changes of members while an earlier one settles. */
async function untilOk(run: () => Promise<Outcome>): Promise<Outcome> {
  for (;;) {
    const outcome = await run();
    if (outcome.code === 0) return outcome;
    if (
      !/unhealthy cluster|not in sync|too many|leader|timed? ?out|deadline|refused|unavailable/i.test(
        outcome.stderr,
      )
    )
      throw new Error(outcome.stderr);
    await setTimeout(200);
  }
}

const environment = { ETCDCTL_API: "3" };

type Etcdctl = (endpoint: string, ...args: readonly string[]) => Promise<Outcome>;

/** Runs `etcdctl` against one endpoint to its end. */
export function etcdctl(endpoint: string, ...args: readonly string[]): Promise<Outcome> {
  return runEtcdctl([], endpoint, args);
}

/** @param commandPrefix command and arguments that run it on another host when placed before it */
export function runEtcdctl(
  commandPrefix: readonly string[],
  endpoint: string,
  args: readonly string[],
): Promise<Outcome> {
  const flags = [`--endpoints=${endpoint}`, "--command-timeout=20s", ...args];
  const [command = "", ...rest] = [...commandPrefix, "etcdctl", ...flags];
  return runProgram(command, rest, { env: environment });
}

/** Switches authentication on, with the user `root` and this password. Later commands need `--user=root:PASSWORD`. */
export async function enableAuth(endpoint: string, password = "secret"): Promise<void> {
  for (const command of [
    ["user", "add", `root:${password}`],
    ["user", "grant-role", "root", "root"],
    ["auth", "enable"],
  ]) {
    const { code, stderr } = await etcdctl(endpoint, ...command);
    if (code !== 0) throw new Error(stderr);
  }
}

/**
 * Watches the keys that begin with `prefix` from the first revision on, and watches again when the watch ends, as
 * clients do: etcd ends watches of a member that has had no leader for long.
 *
 * @param commandPrefix command and arguments that run it on another host when placed before it
 */
export function startWatch(endpoint: string, prefix: string, commandPrefix: readonly string[] = []): Program {
  const watch = ["etcdctl", `--endpoints=${endpoint}`, "watch", "--prefix", prefix, "--rev=1"];
  const [command = "", ...rest] = [...commandPrefix, "sh", "-c", 'while :; do "$@"; done', "sh", ...watch];
  return startProgram(command, rest, { env: environment, detached: true });
}
