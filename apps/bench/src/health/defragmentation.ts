import { setTimeout as sleep } from "node:timers/promises";
import { etcdctl, startEtcd, startGw } from "@gw/testing";
import type { Builds } from "./budgets.js";
import { type Attempt, startPuts, startStatus } from "./clients.js";
import { OpenResources } from "./open-resources.js";

/** What a client saw while the member that it used was defragmented. Times are in milliseconds. */
export interface Defragmentation {
  /** Flags of its gateway. */
  readonly gateway: string;
  readonly databaseMb: number;
  /** How long etcdctl defrag took. */
  readonly tookMs: number;
  readonly longestPutMs: number;
  readonly failedPuts: number;
  /** Puts that succeeded meanwhile. */
  readonly puts: number;
  /** The longest time between two answers of the member to a question for its status. */
  readonly longestStatusMs: number;
  readonly isMoved: boolean;
}

/** One defragmentation of a large database for each of these gateways: with the defaults, and without its help. */
const gateways: readonly (readonly string[])[] = [[], ["--health-check=off"]];

/** The size of a value; etcd takes up to 1.5 MiB in a request. */
const valueBytes = 1_000_000;

/** @param megabytes of the database before */
export async function measureDefragmentation(
  megabytes: number,
  builds: Builds,
): Promise<readonly Defragmentation[]> {
  await using open = new OpenResources();
  const cluster = open.use(await startEtcd(3, builds.etcd && { version: builds.etcd }));
  await cluster.settled();
  await fill(cluster.members[0]?.endpoint ?? "", megabytes);
  const results: Defragmentation[] = [];
  for (const [index, flags] of gateways.entries()) {
    const member = cluster.members[index];
    if (!member) throw new Error("there are more gateways than members");
    const others = cluster.members.filter(one => one !== member).map(({ endpoint }) => endpoint);
    const endpoints = [member.endpoint, ...others].join(",");
    await using gw = await startGw([`--endpoints=${endpoints}`, "--selector=first", ...flags], {
      program: builds.gw,
    });
    await using client = startPuts([], "put-kept", gw.address, { intervalMs: 50 });
    await using status = startStatus([], member.endpoint);
    await sleep(5_000);
    const begun = Date.now();
    const { code, stderr } = await etcdctl(member.endpoint, "defrag", "--command-timeout=120s");
    if (code !== 0) throw new Error(`etcdctl defrag: ${stderr}`);
    const ended = Date.now();
    await sleep(3_000);
    const meanwhile: readonly Attempt[] = client.results.filter(({ end }) => end >= begun);
    const answers = status.results.filter(({ leader, at }) => leader !== undefined && at >= begun - 1_000);
    const gaps = answers.slice(1).map(({ at }, before) => at - (answers[before]?.at ?? at));
    results.push({
      gateway: flags.join(" ") || "defaults",
      databaseMb: megabytes,
      tookMs: ended - begun,
      longestPutMs: Math.max(...meanwhile.map(({ start, end }) => end - start)),
      failedPuts: meanwhile.filter(({ ok }) => !ok).length,
      puts: meanwhile.filter(({ ok, end }) => ok && end <= ended).length,
      longestStatusMs: Math.max(...gaps),
      isMoved: gw.log.some(({ msg }) => msg === "failover"),
    });
  }
  return results;
}

/** Puts as many megabytes, all of which a defragmentation has to rewrite. */
async function fill(endpoint: string, megabytes: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, "x").toString("base64");
  for (let number = 0; number < (megabytes * 1_000_000) / valueBytes; number++) {
    const key = Buffer.from(`filler ${number}`).toString("base64");
    const body = JSON.stringify({ key, value });
    const response = await fetch(`http://${endpoint}/v3/kv/put`, { method: "POST", body });
    if (!response.ok) throw new Error(await response.text());
  }
}
