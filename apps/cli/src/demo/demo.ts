import { staticEndpoints } from "@gw/discovery";
import type { Address } from "@gw/interface";
import { type Gateway, startGateway } from "../compose/gateway.js";
import { defaultListen, startDefaults } from "../flags/connections.js";
import { type Log, openLog } from "../log/log.js";
import { logObserver } from "../log/observer.js";
import { logProcessEvents } from "../log/process-events.js";
import { printLines } from "../output/stdio.js";
import { banner, reachable } from "./banner.js";
import type { Cluster } from "./cluster.js";
import { type DemoFlags, defaultEveryMs } from "./demo-flags.js";
import { startEtcd } from "./etcd-cluster.js";
import { inUse } from "./in-use.js";
import { findEtcd } from "./installed-etcd.js";
import { causeOutages } from "./outages.js";
import { startStandIns } from "./stand-in-cluster.js";
import { stopRequest } from "./stop-request.js";
import { sendRequests } from "./traffic.js";

/** How long the gateway sets a failed member aside: short, so that one sees it return. In milliseconds. */
const retryDelayMs = 2_000;
/** From one of the demo's own requests to the next, in milliseconds. */
const paceMs = 1_000;

/**
 * `gw demo`: a gateway in front of three members, of which the one in use is stopped and started again every
 * so often. Resolves when it was told to stop and nothing of it runs any more. The demo's words go to stdout,
 * the gateway's log goes to stderr.
 *
 * @throws {GatewayError} when it cannot start; then nothing of it runs either
 */
export async function demo(flags: DemoFlags): Promise<void> {
  const signal = stopRequest();
  const everyMs = flags.every ?? defaultEveryMs;
  let cluster: Cluster | undefined;
  let gateway: Gateway | undefined;
  let log: Log | undefined;
  try {
    cluster = await startCluster(flags, signal);
    const { members } = cluster;
    log = await openLog(startDefaults.logLevel, "text");
    logProcessEvents(log.log, log.flushed);
    const use = inUse(members, logObserver(log.log), say);
    // No longer than a member is away, or there would soon be none left.
    const retryMs = Math.min(retryDelayMs, everyMs / 4);
    gateway = await startGateway(
      {
        listen: flags.listen ?? defaultListen,
        sources: () => ({
          discovery: staticEndpoints(members.map(({ address }) => ({ ...address, priority: 0, weight: 0 }))),
        }),
        pool: { retryDelayMs: retryMs, maxRetryDelayMs: retryMs },
        observer: use.observer,
        onUnresolved: () => {},
        onResolved: () => {},
      },
      signal,
    );
    const address = reachable(gateway.proxy.addresses[0] as Address);
    const ownPaceMs = Math.min(paceMs, everyMs / 10);
    printLines(banner(cluster, address, everyMs, ownPaceMs).split("\n"));
    await Promise.all([
      sendRequests(address, ownPaceMs, say, signal),
      causeOutages({ members, inUse: () => use.member, everyMs, say }, signal),
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await gateway?.close({ graceMs: 0 });
    await cluster?.close();
    await log?.flushed();
  }
  say("everything is stopped");
}

async function startCluster({ standIn }: DemoFlags, signal: AbortSignal): Promise<Cluster> {
  const installed = standIn ? "as --stand-in asks" : await findEtcd(signal);
  if (typeof installed !== "string") {
    say(`starting three members of etcd ${installed.version}`);
    return startEtcd(installed, signal);
  }
  say(`starting three stand-in members (${installed})`);
  return startStandIns(signal);
}

function say(line: string): void {
  printLines([`demo: ${line}`]);
}
