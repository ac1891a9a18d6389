import { isIP } from "node:net";
import { createDnsClient, createSystemLookup, type DnsClient, refreshDefaults } from "@gw/discovery";
import { type Address, GatewayError, quote } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** How names are looked up, put together as the flags say. */
export interface Names {
  /**
   * Resolves hosts as the system does; with `--dns-server` those with a trailing dot, as SRV targets are, are asked
   * there.
   */
  readonly lookup: Lookup;
  /** Asks for SRV records. It is loaded when it is called first. */
  readonly dns: () => DnsClient;
  /** Forgets what DNS said. */
  forget(): void;
}

/**
 * @param atOnce what asks DNS is loaded now, and not when there may be no descriptor left
 * @param warn called for addresses that are rejected
 * @throws {GatewayError} for the name of a DNS server that cannot be resolved
 */
export async function createNames(
  flags: DiscoveryFlags,
  atOnce: boolean,
  warn: (event: "address rejected", why: string) => void,
): Promise<Names> {
  const clients: DnsClient[] = [];
  const { LOCALDOMAIN, RES_OPTIONS } = process.env;
  /** @param servers those of the system where they are undefined */
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
  if (atOnce) for (const load of [system, dns]) load();
  return {
    lookup: createSystemLookup({
      dns: system,
      absoluteDns: dns,
      onRejected: (host, address) =>
        warn(
          "address rejected",
          `DNS says ${quote(address)} of ${quote(host)}: link-local, unspecified and multicast addresses are rejected from DNS`,
        ),
    }),
    dns,
    forget() {
      for (const client of clients) client.forget();
    },
  };
}

/** DNS servers by IP address; one that is given by its name is whatever the system takes it for now. */
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
