import { BlockList, isIP } from "node:net";

/** The scope of an address that not every host can reach, or that is no single host's. */
export type AddressScope = "loopback" | "link-local" | "unspecified" | "multicast";

const ranges: readonly (readonly [AddressScope, network: string, prefix: number, family: "ipv4" | "ipv6"])[] =
  [
    ["loopback", "127.0.0.0", 8, "ipv4"],
    ["loopback", "::1", 128, "ipv6"],
    // Includes 169.254.169.254, the metadata service of clouds.
    ["link-local", "169.254.0.0", 16, "ipv4"],
    ["link-local", "fe80::", 10, "ipv6"],
    ["unspecified", "0.0.0.0", 8, "ipv4"],
    ["unspecified", "::", 128, "ipv6"],
    ["multicast", "224.0.0.0", 4, "ipv4"],
    ["multicast", "255.255.255.255", 32, "ipv4"],
    ["multicast", "ff00::", 8, "ipv6"],
  ];

/** The ranges by scope. Made when they are needed first: a start whose endpoints are addresses does without. */
let lists: ReadonlyMap<AddressScope, BlockList> | undefined;

function listsOfRanges(): ReadonlyMap<AddressScope, BlockList> {
  const made = new Map<AddressScope, BlockList>();
  for (const [scope, network, prefix, family] of ranges) {
    const list = made.get(scope) ?? new BlockList();
    list.addSubnet(network, prefix, family);
    made.set(scope, list);
  }
  return made;
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
  lists ??= listsOfRanges();
  for (const [scope, list] of lists) if (list.check(address, family)) return scope;
  return undefined;
}

/** Whether DNS must not resolve to it: such an address means another host on each machine. Loopback is common in DNS. */
export function isRefusedFromDns(address: string): boolean {
  const scope = scopeOf(address);
  return scope !== undefined && scope !== "loopback";
}
