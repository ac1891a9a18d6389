import { once } from "node:events";
import type { EtcdCluster, EtcdMember, Gw } from "@gw/testing";

/** The member that the newest connection went to. */
export async function inUse(gw: Gw, cluster: EtcdCluster): Promise<EtcdMember> {
  // The log comes later than the event.
  const isBehind = (): boolean =>
    count(gw, /^connected$/) === 0 || count(gw, /^accepted$/) > count(gw, /^connected$|^unserved$/);
  while (isBehind()) await once(gw.child, "printed");
  const connected = gw.log.filter(line => line.msg === "connected").at(-1);
  return cluster.member(String(connected?.["endpoint"]));
}

/** How often it has been logged so far. */
export function count(gw: Gw, message: RegExp): number {
  return gw.log.filter(line => message.test(line.msg)).length;
}
