import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { EtcdCluster, EtcdMember, Gw } from "@gw/testing";

/** The member that the newest connection went to. */
export async function inUse(gw: Gw, cluster: EtcdCluster): Promise<EtcdMember> {
  // The log comes later than the event: the native relay connects a client, and may serve it, before it is logged.
  const ports = await clientPorts(gw);
  const isBehind = (): boolean => {
    const accepted = gw.log.filter(line => line.msg === "accepted");
    const logged = new Set(accepted.map(line => portOf(String(line["client"]))));
    return (
      count(gw, /^connected$/) === 0 ||
      ports.some(port => !logged.has(port)) ||
      accepted.length > count(gw, /^connected$|^unserved$/)
    );
  };
  while (isBehind()) await once(gw.child, "printed");
  const connected = gw.log.filter(line => line.msg === "connected").at(-1);
  return cluster.member(String(connected?.["endpoint"]));
}

/** How often it has been logged so far. */
export function count(gw: Gw, message: RegExp): number {
  return gw.log.filter(line => message.test(line.msg)).length;
}

/** Of the table of sockets: not connected yet. */
const unconnected: ReadonlySet<string | undefined> = new Set(["02", "03", "0A"]);

/** The ports of the clients of `gw` that the system knows, which are also those that ended within a minute. */
async function clientPorts(gw: Gw): Promise<readonly number[]> {
  if (process.platform !== "linux") return [];
  const table = await readFile("/proc/net/tcp", "utf8");
  return table.split("\n").flatMap(line => {
    const [, local = "", remote = "", state] = line.trim().split(/\s+/);
    if (unconnected.has(state)) return [];
    const [one, other] = [portOf(local, 16), portOf(remote, 16)];
    if (one === gw.port) return [other];
    return other === gw.port ? [one] : [];
  });
}

function portOf(address: string, radix = 10): number {
  return Number.parseInt(address.slice(address.lastIndexOf(":") + 1), radix);
}
