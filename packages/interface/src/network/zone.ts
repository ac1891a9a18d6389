import { GatewayError } from "../error.js";
import { quote } from "../quote.js";
import { interfaceAddresses } from "./interfaces.js";

/**
 * `host` in the form that sockets of this machine accept: a zone (`fe80::1%eth0`, `fe80::1%2`) becomes the interface's name,
 * or its number on Windows (RFC 4007, 11). Other hosts are returned unchanged.
 *
 * @throws {GatewayError} `unreachable` if this machine has no such interface now
 */
export function withLocalZone(host: string): string {
  const at = host.indexOf("%");
  if (at < 0) return host;
  const zone = host.slice(at + 1);
  const interfaces = linkLocalInterfaces();
  const found = interfaces?.find(({ name, number }) => name === zone || String(number) === zone);
  if (found) return `${host.slice(0, at)}%${process.platform === "win32" ? found.number : found.name}`;
  // If interfaces cannot be listed, the system decides.
  if (!interfaces) return host;
  const known = interfaces.map(({ name }) => name).join(", ") || "none";
  throw new GatewayError(
    "unreachable",
    `no interface ${quote(zone)} with an IPv6 address is up on this machine (there is ${known})`,
  );
}

interface Interface {
  readonly name: string;
  readonly number: number;
}

/** Undefined if they cannot be listed, as in a sandbox without AF_NETLINK. */
function linkLocalInterfaces(): readonly Interface[] | undefined {
  const numbers = new Map<string, number>();
  const addresses = interfaceAddresses();
  for (const one of addresses ?? [])
    if (one.family === "IPv6" && one.scopeid > 0 && !numbers.has(one.interface))
      numbers.set(one.interface, one.scopeid);
  return addresses && [...numbers].map(([name, number]) => ({ name, number }));
}
