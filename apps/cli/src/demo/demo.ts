import { type Address, formatAddress } from "@gw/interface";
import { type Gateway, startGateway } from "../compose/gateway.js";
import { startDefaults } from "../flags/connections.js";
import { formatDuration } from "../flags/duration.js";
import { openEventLog } from "../log/event-log.js";
import { logObserver } from "../log/observer.js";
import { printLines, stdoutClosed } from "../output/stdio.js";
import { stopSignals } from "../process/stop-signals.js";
import type { Cluster } from "./cluster.js";
import { type DemoFlags, defaultEveryMs } from "./demo-flags.js";
import { findEtcd, startEtcd } from "./etcd-cluster.js";
import { causeOutages, sendRequests, watchMemberInUse } from "./scenario.js";
import { startStandIns } from "./stand-in-cluster.js";

/** How long a failed member stays down at the gateway, in milliseconds: short, so that users see it come back up. */
const retryDelayMs = 2_000;
/** From one request of the demo to the next, in milliseconds. */
const requestIntervalMs = 1_000;

/**
 * `gw demo`: a gateway in front of three members, of which the one in use is stopped and started again periodically.
 * Resolves when a signal or a closed stdout has ended it and all of it has stopped. Prints to stdout; the gateway logs
 * to stderr.
 *
 * @throws {GatewayError} if it cannot start; then nothing is left running
 */
export async function demo(flags: DemoFlags): Promise<void> {
  const signal = stopRequest();
  const everyMs = flags.every ?? defaultEveryMs;
  let cluster: Cluster | undefined;
  let gateway: Gateway | undefined;
  let flushed: (() => Promise<void>) | undefined;
  try {
    cluster = await startCluster(flags, signal);
    const { members } = cluster;
    const opened = openEventLog(startDefaults.logLevel, "text");
    flushed = opened.flushed;
    const inUse = watchMemberInUse(members, logObserver(opened.log), print);
    // Shorter than an outage: a member must be up again before the next one is stopped.
    const retryMs = Math.min(retryDelayMs, everyMs / 4);
    gateway = await startGateway(
      {
        ...(flags.listen && { listen: flags.listen }),
        endpoints: members.map(({ address }) => formatAddress(address)),
        healthCheck: "off",
        relay: "js",
        retryDelayMs: retryMs,
        maxRetryDelayMs: retryMs,
      },
      { log: opened.log, observer: inUse.observer },
      signal,
    );
    const address = reachable(gateway.proxy.addresses[0] as Address);
    const intervalMs = Math.min(requestIntervalMs, everyMs / 10);
    printLines(banner(cluster, address, everyMs, intervalMs).split("\n"));
    await Promise.all([
      sendRequests(address, intervalMs, print, signal),
      causeOutages({ members, inUse: () => inUse.member, everyMs, print }, signal),
    ]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await gateway?.close({ graceMs: 0 });
    await cluster?.close();
    await flushed?.();
  }
  print("everything is stopped");
}

async function startCluster({ standIn }: DemoFlags, signal: AbortSignal): Promise<Cluster> {
  const installed = standIn ? "--stand-in is given" : await findEtcd(signal);
  if (typeof installed !== "string") {
    print(`starting three members of etcd ${installed.version}`);
    return startEtcd(installed, signal);
  }
  print(`starting three stand-in members (${installed})`);
  return startStandIns(signal);
}

function print(line: string): void {
  printLines([`demo: ${line}`]);
}

/**
 * Aborted when the demo must end: by a signal, or because stdout is closed. Signals without a handler end the process
 * as usual; nothing of the demo survives it.
 */
function stopRequest(): AbortSignal {
  return AbortSignal.any([stopSignals({ hangup: true }).drain, stdoutClosed]);
}

/** What the demo prints when everything runs: the addresses, commands to try, and what will happen. */
function banner(cluster: Cluster, gateway: Address, everyMs: number, intervalMs: number): string {
  const members = cluster.members.map(({ name, address }) => `  ${name}  ${formatAddress(address)}`);
  const commands = cluster.commands(gateway).map(([what, command]) => `  # ${what}\n  ${command}`);
  const [every, outage, interval] = [everyMs, everyMs / 2, intervalMs].map(formatDuration);
  return `
${cluster.description}
${members.join("\n")}
  gateway   ${formatAddress(gateway)}

Send requests to the gateway from another terminal:
${commands.join("\n")}

Every ${every} the member in use is stopped, for ${outage}. A small request every ${interval} shows where the
gateway sends its clients. Ctrl-C ends everything.

`;
}

/** The address at which a client on this machine reaches a listener on `address`, which may be a wildcard. */
function reachable({ host, port }: Address): Address {
  // A socket on "::" accepts IPv4 as well: Node does not set IPV6_V6ONLY.
  return { host: host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host, port };
}
