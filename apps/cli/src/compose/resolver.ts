import { isIP } from "node:net";
import { createDnsClient, createSystemLookup, type DnsClient, refreshDefaults } from "@gw/discovery";
import { type Address, GatewayError, quote } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import { type DiscoveryFlags, hasWatchedSource, listedEndpoints } from "../flags/discovery.js";

/** How hosts and SRV records are looked up. */
export interface Resolver {
  /** Looks up a host as the system does; hosts with a trailing dot, as SRV targets are, at `--dns-server`. */
  readonly lookup: Lookup;
  /** The client for SRV records. It is created by the first call. */
  readonly dns: () => DnsClient;
  /** Forgets the answers of DNS. */
  forget(): void;
}

/**
 * The resolver that the flags ask for.
 *
 * @param warn called for addresses that are rejected
 * @throws {GatewayError} if the name of a DNS server cannot be resolved
 */
export async function createResolver(
  flags: DiscoveryFlags,
  warn: (event: "address rejected", why: string) => void,
): Promise<Resolver> {
  const clients: DnsClient[] = [];
  const { LOCALDOMAIN, RES_OPTIONS } = process.env;
  /** @param servers @default the system's */
  const lazily = (servers: readonly Address[] | undefined): (() => DnsClient) => {
    let client: DnsClient | undefined;
    return () => {
      if (client) return client;
      client = createDnsClient({
        servers,
        environment: { LOCALDOMAIN, RES_OPTIONS },
        minTtlMs: flags.discoveryMinRefreshMs ?? refreshDefaults.minRefreshMs,
        maxTtlMs: flags.discoveryMaxRefreshMs ?? refreshDefaults.maxRefreshMs,
      });
      clients.push(client);
      return client;
    };
  };
  const system = lazily(undefined);
  const servers = await addressesOf(flags.dnsServers, createSystemLookup({ dns: system }));
  const dns = servers ? lazily(servers) : system;
  // Later there may be no file descriptor left.
  if (mayHaveHosts(flags)) for (const load of [system, dns]) load();
  return {
    lookup: createSystemLookup({
      dns: system,
      absoluteDns: dns,
      onRejected: (host, address) =>
        warn(
          "address rejected",
          `DNS has ${quote(address)} for ${quote(host)}: link-local, unspecified and multicast addresses are rejected from DNS`,
        ),
    }),
    dns,
    forget() {
      for (const client of clients) client.forget();
    },
  };
}

/** Whether there may be endpoints whose hosts have to be looked up. */
function mayHaveHosts(flags: DiscoveryFlags): boolean {
  const listed = listedEndpoints(flags)?.endpoints ?? [];
  return (
    hasWatchedSource(flags) || listed.some(({ host }) => isIP(host) === 0 && !/localhost\.?$/.test(host))
  );
}

/** The IP addresses of DNS servers; names are resolved once, by the system. */
async function addressesOf(
  servers: readonly Address[] | undefined,
  lookup: Lookup,
): Promise<readonly Address[] | undefined> {
  if (!servers) return undefined;
  const resolve = async ({ host, port }: Address): Promise<readonly Address[]> => {
    if (isIP(host)) return [{ host, port }];
    const { addresses } = await lookup(host).catch((cause: unknown) => {
      throw GatewayError.from(cause, `look up the DNS server ${quote(host)}`);
    });
    return addresses.map(address => ({ host: address, port }));
  };
  return (await Promise.all(servers.map(resolve))).flat();
}
