import type { Cluster } from "./cluster.js";
import { curlGet, curlPut } from "./shell.js";
import { standIn } from "./stand-in.js";
import { createStore } from "./store.js";

/**
 * Three stand-ins for etcd members, in this process and over one store in memory. They answer `/version`,
 * `/health`, `/readyz` and the JSON forms of put and range as etcd does, and speak no gRPC.
 *
 * @throws {GatewayError} when one cannot listen, or `signal` is aborted; then none runs
 */
export async function startStandIns(signal: AbortSignal): Promise<Cluster> {
  const store = createStore();
  const members = [1, 2, 3].map(number => standIn(number, store));
  const close = async (): Promise<void> => {
    await Promise.all(members.map(member => member.stop()));
  };
  try {
    for (const member of members) await member.start(signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    members,
    description: "Three stand-ins for etcd: one store in memory, which answers curl but not etcdctl.",
    commands: address => [
      ["put bar at foo, keys and values in base64", curlPut(address, "foo", "bar")],
      ["get foo", curlGet(address, "foo")],
    ],
    close,
  };
}
