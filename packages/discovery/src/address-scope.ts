import { BlockList, isIP } from "node:net";

/** An address that is not every host's to reach. */
export type AddressScope = "loopback" | "link-local" | "unspecified" | "multicast";

const ranges: readonly (readonly [AddressScope, network: string, prefix: number, family: "ipv4" | "ipv6"])[] =
  [
    ["loopback", "127.0.0.0", 8, "ipv4"],
    ["loopback", "::1", 128, "ipv6"],
    // Among them 169.254.169.254, at which clouds tell machines their secrets.
    ["link-local", "169.254.0.0", 16, "ipv4"],
    ["link-local", "fe80::", 10, "ipv6"],
    ["unspecified", "0.0.0.0", 8, "ipv4"],
    ["unspecified", "::", 128, "ipv6"],
    ["multicast", "224.0.0.0", 4, "ipv4"],
    ["multicast", "255.255.255.255", 32, "ipv4"],
    ["multicast", "ff00::", 8, "ipv6"],
  ];

const lists = new Map<AddressScope, BlockList>();
for (const [scope, network, prefix, family] of ranges) {
  const list = lists.get(scope) ?? new BlockList();
  list.addSubnet(network, prefix, family);
  lists.set(scope, list);
}

/**
 * The scope of an IP address where it is narrower than its network, or of more than one host (RFC 6890, RFC 4291);
 * undefined for all other addresses, and for names.
 */
export function scopeOf(host: string): AddressScope | undefined {
  const address = host.replace(/%.*$/s, "").replace(/^::ffff:(?=\d+\.)/i, "");
  const version = isIP(address);
  if (version === 0) return undefined;
  const family = version === 4 ? "ipv4" : "ipv6";
  for (const [scope, list] of lists) if (list.check(address, family)) return scope;
  return undefined;
}

/** What DNS must not lead to: what is at such an address depends on who asks. Loopback addresses are common there. */
export function isRefusedFromDns(address: string): boolean {
  const scope = scopeOf(address);
  return scope !== undefined && scope !== "loopback";
}
