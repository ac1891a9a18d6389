import { setTimeout as sleep } from "node:timers/promises";
import {
  createNetwork,
  type EtcdCluster,
  type EtcdMember,
  type Gw,
  type Network,
  runEtcdctl,
  startEtcd,
  startGw,
} from "@gw/testing";
import type { Builds } from "./budgets.js";
import {
  type Attempt,
  type Client,
  startEtcdctlPuts,
  startEtcdctlWatch,
  startHttpWatch,
  startPuts,
  startStatus,
  type WatchEvent,
} from "./clients.js";
import { OpenResources } from "./open-resources.js";
import { createDisk, type StallableDisk } from "./stalled-disk.js";

/** A fault of the member that all clients use. */
export interface Fault {
  readonly name: string;
  /** The role of the member when it begins. */
  readonly role: "leader" | "follower";
  readonly needsDisk?: boolean;
  begin(at: {
    readonly member: EtcdMember;
    readonly network: Network;
    readonly disk?: StallableDisk;
  }): Promise<void>;
  /** Whether the time counts from the moment at which the member's own status shows that it has no leader. */
  readonly fromNoticed?: boolean;
}

const hang = async ({ member }: { member: EtcdMember }): Promise<void> => member.pause();
const cutOff: Fault["begin"] = async ({ member, network }) => {
  const host = network.hosts.find(({ client }) => member.endpoint.startsWith(`${client}:`));
  await host?.isolate();
};

export const faults: readonly Fault[] = [
  { name: "follower stopped (SIGSTOP)", role: "follower", begin: hang },
  { name: "leader stopped (SIGSTOP)", role: "leader", begin: hang },
  { name: "follower cut off from its peers", role: "follower", begin: cutOff, fromNoticed: true },
  { name: "leader cut off from its peers", role: "leader", begin: cutOff, fromNoticed: true },
  {
    name: "disk of the leader stalled",
    role: "leader",
    needsDisk: true,
    begin: async ({ member, disk }) => disk?.stall(member.pid),
  },
];

/** A client and the policy of its gateway. */
export interface Load {
  readonly name: string;
  readonly kind: "put" | "watch";
  /** Of its gateway; the others have `--selector=first` and the member that fails first. */
  readonly selector?: "round-robin";
  start(prefix: readonly string[], address: string): Client<Attempt> | Client<WatchEvent>;
}

const kept: Load["start"] = (prefix, address) => startPuts(prefix, "put-kept", address);
/** What watches wait for: put without a gateway, at a member that stays, from the fault on. */
const watchedKey = "w";
const fresh: Load["start"] = (prefix, address) => startPuts(prefix, "put-new", address);

export const loads: readonly Load[] = [
  { name: "put, one kept connection", kind: "put", start: kept },
  { name: "put, each on a new connection", kind: "put", start: fresh },
  {
    name: "put, gives up after 1 s",
    kind: "put",
    start: (prefix, address) => startPuts(prefix, "put-new", address, { timeoutMs: 1_000 }),
  },
  { name: "etcdctl put", kind: "put", start: startEtcdctlPuts },
  {
    name: "etcdctl watch",
    kind: "watch",
    start: (prefix, address) => startEtcdctlWatch(prefix, address, watchedKey),
  },
  {
    name: "etcdctl watch without keepalive",
    kind: "watch",
    start: (prefix, address) => startEtcdctlWatch(prefix, address, watchedKey, ["--keepalive-time=24h"]),
  },
  {
    name: "HTTP watch",
    kind: "watch",
    start: (prefix, address) => startHttpWatch(prefix, address, watchedKey),
  },
  {
    name: "etcdctl watch of a key that is put each 200 ms",
    kind: "watch",
    start: (prefix, address) => startEtcdctlWatch(prefix, address, "k"),
  },
  { name: "round-robin: put, one kept connection", kind: "put", selector: "round-robin", start: kept },
  { name: "round-robin: put, each on a new connection", kind: "put", selector: "round-robin", start: fresh },
];

/** What one client saw of one fault, in seconds. Infinity: not within {@link limitMs}. */
export interface Sample {
  readonly fault: string;
  readonly load: string;
  /** Until the first put succeeded that was begun after the fault, or the first event arrived that was put after it. */
  readonly firstS: number;
  /** Until the last put had ended that failed or took longer than a second; 0 if none did. */
  readonly disturbedS?: number;
  /** Until its gateway marked the member down. */
  readonly downS: number;
  /** Until the member's own status showed no leader. */
  readonly noticedS: number;
  readonly how?: string;
}

/** How long a client may take; then it counts as not helped. */
const limitMs = 60_000;
/** Without a failure for so long, a client is served again. */
const quietMs = 3_000;

/** Lets one fault happen to a new cluster with a gateway for each client. */
export async function measureFault(
  fault: Fault,
  chosen: readonly Load[],
  builds: Builds,
): Promise<readonly Sample[]> {
  await using open = new OpenResources();
  const network = open.use(await createNetwork(3));
  const { commandPrefix } = network;
  const disks: StallableDisk[] = [];
  if (fault.needsDisk) for (let disk = 0; disk < 3; disk++) disks.push(open.use(await createDisk()));
  const dataFolders = disks.map(({ folder }) => folder);
  const cluster = open.use(
    await startEtcd(3, { network, dataFolders, ...(builds.etcd && { version: builds.etcd }) }),
  );
  for (const disk of disks) open.defer(() => disk.resume());
  const member = cluster.members[Math.floor(Math.random() * 3)] as EtcdMember;
  open.defer(async () => member.resume());
  await give(cluster, commandPrefix, member, fault.role);
  const others = cluster.members.filter(one => one !== member).map(({ endpoint }) => endpoint);
  const running = [];
  for (const load of chosen) {
    const flags = [
      `--endpoints=${[member.endpoint, ...others].join(",")}`,
      `--selector=${load.selector ?? "first"}`,
    ];
    const gw = open.use(await startGw(flags, { commandPrefix, program: builds.gw }));
    const client = open.use(await startUsing(gw, load, commandPrefix, member));
    running.push({ load, gw, client });
  }
  const status = open.use(startStatus(commandPrefix, member.endpoint));
  // At any moment of the gateways' schedules.
  await sleep(5_000 + Math.random() * 10_000);
  const disk = disks[cluster.members.indexOf(member)];
  await fault.begin({ member, network, ...(disk && { disk }) });
  const begun = Date.now();
  open.use(
    startPuts(commandPrefix, "put-new", others[0] ?? "", {
      key: watchedKey,
      intervalMs: 100,
      timeoutMs: 1_000,
    }),
  );
  const noticed = (): number =>
    status.results.find(({ at, leader }) => at > begun && leader === false)?.at ?? Infinity;
  for (;;) {
    await sleep(200);
    const now = Date.now();
    if (now - begun > limitMs) break;
    const isOver = running.every(({ load, client, gw }) => {
      const { firstS, disturbedS = 0 } = saw(load, client, begun);
      return firstS < Infinity && downAt(gw, member) < Infinity && now - begun - disturbedS * 1_000 > quietMs;
    });
    if (isOver && !(fault.fromNoticed && noticed() === Infinity)) break;
  }
  return running.map(({ load, gw, client }) => ({
    fault: fault.name,
    load: load.name,
    ...saw(load, client, begun),
    downS: (downAt(gw, member) - begun) / 1_000,
    noticedS: (noticed() - begun) / 1_000,
    ...(disk && { how: disk.how }),
  }));
}

/** Makes `member` the leader, or another one. */
async function give(
  cluster: EtcdCluster,
  prefix: readonly string[],
  member: EtcdMember,
  role: Fault["role"],
): Promise<void> {
  await cluster.settled();
  for (;;) {
    const { stdout } = await runEtcdctl(prefix, cluster.endpoints, ["endpoint", "status"]);
    // endpoint, id, version, size, is leader, …
    const rows = stdout.split("\n").map(line => line.split(", "));
    const leader = rows.find(row => row[4] === "true");
    const wanted =
      role === "leader"
        ? rows.find(([endpoint]) => endpoint === member.endpoint)
        : rows.find(([endpoint]) => endpoint && endpoint !== member.endpoint);
    if (leader?.[0] === wanted?.[0] || (role === "follower" && leader && leader[0] !== member.endpoint))
      return;
    await runEtcdctl(prefix, leader?.[0] ?? member.endpoint, ["move-leader", wanted?.[1] ?? ""]);
  }
}

/** Starts the client of a load until its first connection is one to `member`: round-robin takes another each time. */
async function startUsing(
  gw: Gw,
  load: Load,
  prefix: readonly string[],
  member: EtcdMember,
): Promise<Client<Attempt> | Client<WatchEvent>> {
  for (;;) {
    const before = gw.log.length;
    const client = load.start(prefix, gw.address);
    const connected = () => gw.log.slice(before).find(({ msg }) => msg === "connected");
    while (!connected() || (load.kind === "put" && client.results.length === 0)) {
      if (!client.running || !gw.running)
        throw new Error(`${load.name}: the client or its gateway has ended`);
      await sleep(20);
    }
    if (connected()?.["endpoint"] === member.endpoint || load.name.includes("new connection")) return client;
    await client[Symbol.asyncDispose]();
  }
}

function saw(
  { kind }: Load,
  { results }: Client<Attempt> | Client<WatchEvent>,
  begun: number,
): Pick<Sample, "firstS" | "disturbedS"> {
  if (kind === "watch") {
    const event = (results as readonly WatchEvent[]).find(({ value }) => value > begun);
    return { firstS: ((event?.at ?? Infinity) - begun) / 1_000 };
  }
  const attempts = (results as readonly Attempt[]).filter(({ end }) => end >= begun);
  const first = attempts.find(({ start, ok }) => ok && start >= begun);
  const disturbed = attempts.findLast(({ start, end, ok }) => !ok || end - start > 1_000);
  return {
    firstS: ((first?.end ?? Infinity) - begun) / 1_000,
    disturbedS: ((disturbed?.end ?? begun) - begun) / 1_000,
  };
}

function downAt(gw: Gw, { endpoint }: EtcdMember): number {
  const line = gw.log.find(
    ({ msg, ...fields }) => msg === "endpoint down" && fields["endpoint"] === endpoint,
  );
  return line ? Date.parse(String(line["time"])) : Infinity;
}
