import type { Lookup } from "@gw/tcpproxy";

/** A look-up, and the hosts whose addresses change. */
export interface MovedHosts {
  readonly lookup: Lookup;
  /** Calls `listener` soon after a host has got an address that it did not have before. There is one listener. */
  onMoved(listener: (host: string) => void): void;
}

/** How many hosts, and how many addresses of each, are remembered: both may come from the network. */
const [maxHosts, maxAddresses] = [1_000, 64];

/** Notices when hosts move: connections that are open still lead to the former owner of the name, and new ones do not. */
export function watchHosts(lookup: Lookup): MovedHosts {
  /** The addresses that each host has had so far; the newest hosts last. */
  const known = new Map<string, Set<string>>();
  let onMoved = (_host: string): void => {};
  const keep = (host: string, addresses: readonly string[]): void => {
    const before = known.get(host);
    const had = before ?? new Set<string>();
    const added = addresses.filter(address => !had.has(address));
    for (const address of added) had.add(address);
    for (const address of had) if (had.size > maxAddresses) had.delete(address);
    known.delete(host);
    known.set(host, had);
    for (const oldest of known.keys()) if (known.size > maxHosts) known.delete(oldest);
    // Later, when dials use the answer.
    if (before && added.length > 0) setImmediate(() => onMoved(host));
  };
  return {
    async lookup(host, options) {
      const answer = await lookup(host, options);
      keep(host, answer.addresses);
      return answer;
    },
    onMoved(listener) {
      onMoved = listener;
    },
  };
}
