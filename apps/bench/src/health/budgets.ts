import { once } from "node:events";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type CountingProxy,
  type EtcdVersion,
  etcdctl,
  type Gw,
  startCountingProxy,
  startEtcd,
  startGw,
  startProgram,
} from "@gw/testing";
import { startEtcdctlWatch, startHttpWatch, startPuts } from "./clients.js";
import { OpenResources } from "./open-resources.js";

/** What is measured. */
export interface Builds {
  /** @default the one on the PATH */
  readonly etcd: EtcdVersion | undefined;
  /** The `gw.js` of another build. @default this repository's */
  readonly gw: string | undefined;
}

/** What the clients of one gateway do. */
interface Use {
  readonly name: string;
  /** Resolves when the clients are connected. */
  start(address: string): Promise<readonly AsyncDisposable[]>;
}

const uses: readonly Use[] = [
  { name: "no connections", start: async () => [] },
  { name: "a put each 200 ms", start: async address => [startPuts([], "put-kept", address)] },
  { name: "silent watch (HTTP)", start: async address => [startHttpWatch([], address, "idle")] },
  {
    name: "silent watch (etcdctl without keepalive)",
    start: async address => [startEtcdctlWatch([], address, "idle", ["--keepalive-time=24h"])],
  },
  {
    name: "silent watch (etcdctl, a PING each 10 s)",
    start: async address => [startEtcdctlWatch([], address, "idle")],
  },
  { name: "a lock held, and a client that waits for it (etcdctl)", start: lockWithEtcdctl },
  { name: "a lock held, and a client that waits for it (HTTP)", start: lockOverHttp },
];

/** What one gateway asked the members of its cluster for. */
interface Budget {
  readonly use: string;
  readonly minutes: number;
  /** For each member: whether clients were connected to it at the end, and requests by what was asked. */
  readonly members: readonly {
    readonly inUse: boolean;
    readonly requests: { readonly [request: string]: number };
  }[];
}

/** Budgets, and the same from the members' own metrics, for all gateways together. */
export interface Budgets {
  readonly budgets: readonly Budget[];
  readonly metrics: { readonly [name: string]: number };
}

/**
 * Runs a gateway for each use before one cluster of three, and counts what arrives at the members without the requests
 * of the clients.
 */
export async function measureBudgets(minutes: number, builds: Builds): Promise<Budgets> {
  await using open = new OpenResources();
  const cluster = open.use(await startEtcd(3, builds.etcd && { version: builds.etcd }));
  await cluster.settled();
  const running: { use: Use; gw: Gw; proxies: CountingProxy[] }[] = [];
  for (const use of uses) {
    const proxies: CountingProxy[] = [];
    for (const { endpoint } of cluster.members) proxies.push(open.use(await startCountingProxy(endpoint)));
    const endpoints = proxies.map(({ address }) => address).join(",");
    const gw = open.use(await startGw([`--endpoints=${endpoints}`], { program: builds.gw }));
    running.push({ use, gw, proxies });
  }
  for (const { use, gw } of running) for (const client of await use.start(gw.address)) open.use(client);
  // The first checks belong to the start.
  await sleep(20_000);
  const endpoints = cluster.members.map(({ endpoint }) => endpoint);
  const before = running.map(({ proxies }) => proxies.map(({ requests }) => new Map(requests)));
  const metricsBefore = await metricsOf(endpoints);
  await sleep(minutes * 60_000);
  const metrics = await metricsOf(endpoints);
  for (const name of Object.keys(metrics)) metrics[name] = (metrics[name] ?? 0) - (metricsBefore[name] ?? 0);
  const budgets = running.map(({ use, gw, proxies }, index) => ({
    use: use.name,
    minutes,
    members: proxies.map(({ address, requests }, member) => ({
      inUse: openConnections(gw, address) > 0,
      requests: difference(requests, before[index]?.[member]),
    })),
  }));
  return { budgets, metrics };
}

/** Requests of clients, and connections of clients that speak gRPC. */
const ofClients = /^POST \/v3\/(?:kv\/put|watch|lock|lease)|^HTTP\/2$/;

function difference(after: ReadonlyMap<string, number>, before: ReadonlyMap<string, number> | undefined) {
  const counts = [...after].map(
    ([request, count]) => [request, count - (before?.get(request) ?? 0)] as const,
  );
  return Object.fromEntries(counts.filter(([request, count]) => count > 0 && !ofClients.test(request)));
}

function openConnections(gw: Gw, endpoint: string): number {
  const count = (event: string): number =>
    gw.log.filter(({ msg, ...fields }) => msg === event && fields["endpoint"] === endpoint).length;
  return count("connected") - count("closed");
}

/** Sums over the members. */
async function metricsOf(endpoints: readonly string[]): Promise<{ [name: string]: number }> {
  const shown =
    /^(etcd_server_health_success|grpc_server_started_total\{grpc_method="(?:Status|Range)".*\}) (\S+)$/gm;
  const sums: { [name: string]: number } = {};
  for (const endpoint of endpoints) {
    const text = await (await fetch(`http://${endpoint}/metrics`)).text();
    for (const [, metric = "", value] of text.matchAll(shown)) {
      const name = /grpc_method="(\w+)"/.exec(metric)?.[1] ?? metric;
      sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  return sums;
}

async function lockWithEtcdctl(address: string): Promise<readonly AsyncDisposable[]> {
  const lock = () =>
    startProgram("etcdctl", [`--endpoints=${address}`, "lock", "held", "sleep", "100000"], {
      env: { ETCDCTL_API: "3" },
      detached: true,
    });
  const holder = lock();
  while ((await etcdctl(address, "get", "--prefix", "held/", "--keys-only")).stdout.trim() === "")
    await sleep(100);
  return [holder, lock()];
}

/** The client that waits sends one request, which is answered when the lock is free: never. */
async function lockOverHttp(address: string): Promise<readonly AsyncDisposable[]> {
  const name = Buffer.from("held over HTTP").toString("base64");
  const lock = async (): Promise<ClientRequest> => {
    const granted = send(address, "/v3/lease/grant", { TTL: 36_000 });
    const { ID } = JSON.parse(await bodyOf(granted)) as { ID: string };
    return send(address, "/v3/lock/lock", { name, lease: ID });
  };
  await bodyOf(await lock());
  const waiting = await lock();
  waiting.on("error", () => {});
  return [{ [Symbol.asyncDispose]: async () => void waiting.destroy() }];
}

function send(address: string, path: string, body: object): ClientRequest {
  const [host, port] = address.split(":");
  const text = JSON.stringify(body);
  const headers = { "content-length": text.length };
  return request({ host, port, path, method: "POST", headers, agent: false }).end(text);
}

async function bodyOf(sent: ClientRequest): Promise<string> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const text = Buffer.concat(await response.toArray()).toString();
  if (response.statusCode !== 200) throw new Error(`${sent.path}: ${text}`);
  return text;
}
