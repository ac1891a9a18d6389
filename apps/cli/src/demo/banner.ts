import { type Address, formatAddress } from "@gw/interface";
import { formatDuration } from "../flags/duration.js";
import type { Cluster } from "./cluster.js";

/** What the demo prints when all runs: what there is, what to try, and what is going to happen. */
export function banner(cluster: Cluster, gateway: Address, everyMs: number, paceMs: number): string {
  const members = cluster.members.map(({ name, address }) => `  ${name}  ${formatAddress(address)}`);
  const commands = cluster.commands(gateway).map(([what, command]) => `  # ${what}\n  ${command}`);
  const [every, away, pace] = [everyMs, everyMs / 2, paceMs].map(formatDuration);
  return `
${cluster.description}
${members.join("\n")}
  gateway   ${formatAddress(gateway)}

Talk to the gateway, for instance from another terminal:
${commands.join("\n")}

Every ${every} the member in use is stopped, for ${away}. A small request every ${pace} shows where the
gateway sends its clients. Ctrl-C ends everything.

`;
}

/** Where a client on this machine reaches what listens on `address`, which may be a wildcard. */
export function reachable({ host, port }: Address): Address {
  // A socket on "::" accepts IPv4 as well: Node does not set IPV6_V6ONLY.
  return { host: host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host, port };
}
