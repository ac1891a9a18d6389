import { BlockList, isIPv4 } from "node:net";
import { type Address, formatAddress, GatewayError, interfaceAddresses } from "@gw/interface";

/**
 * Whether a connection to `target` would reach a socket that listens on one of `listening`, also when that is a
 * wildcard address. Both are IP literals. Where interfaces cannot be listed, only loopback addresses are known.
 */
export function isSelfDial(target: Address, listening: readonly Address[]): boolean {
  return listening.some(({ host, port }) => port === target.port && reaches(plain(target.host), plain(host)));
}

/** The error of a dial that {@link isSelfDial} refuses. */
export function selfDialError(target: Address): GatewayError {
  return new GatewayError("self-loop", `dial ${formatAddress(target)}: that is this gateway itself`);
}

function reaches(target: string, listener: string): boolean {
  const destination = target === "0.0.0.0" ? "127.0.0.1" : target === "::" ? "::1" : target;
  if (destination === listener) return true;
  // "::" accepts IPv4 as well: Node does not set IPV6_V6ONLY.
  const covered = listener === "::" || (listener === "0.0.0.0" && isIPv4(destination));
  return covered && isLocal(destination);
}

function isLocal(address: string): boolean {
  const local = new BlockList();
  local.addSubnet("127.0.0.0", 8, "ipv4");
  for (const one of interfaceAddresses() ?? [])
    local.addAddress(withoutZone(one.address), one.family === "IPv4" ? "ipv4" : "ipv6");
  local.addAddress("::1", "ipv6");
  return local.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** Without its zone; IPv4 addresses that are written as IPv6 (`::ffff:127.0.0.1`) become IPv4. */
function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? withoutZone(address);
}

function withoutZone(address: string): string {
  return address.replace(/%.*$/, "");
}
