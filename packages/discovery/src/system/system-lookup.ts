import { isIP } from "node:net";
import {
  type Clock,
  GatewayError,
  type Getaddrinfo,
  quote,
  startTimeout,
  systemClock,
  getaddrinfo as systemGetaddrinfo,
  withLocalZone,
} from "@gw/interface";
import { isRefusedFromDns } from "../address-scope.js";
import type { DnsClient } from "../dns/client.js";
import { createDnsClient } from "../dns/create-client.js";
import { inOrderOfUse } from "./destination-order.js";
import { followHosts } from "./hosts.js";
import { followNsswitch, type NameSource } from "./nsswitch.js";
import { takingTurns } from "./time-slices.js";

/** Options of {@link createSystemLookup}. */
export interface SystemLookupOptions {
  /** Who asks DNS for names without a trailing dot; called when DNS is asked. @default one createDnsClient() */
  readonly dns?: (() => DnsClient) | undefined;
  /** Who asks DNS for absolute names, as targets of SRV records are. @default dns */
  readonly absoluteDns?: (() => DnsClient) | undefined;
  /**
   * DNS says `address` of `host`, which is refused: it is link-local, unspecified or a multicast address. Called once for
   * each address of a host.
   */
  readonly onRefused?: ((host: string, address: string) => void) | undefined;
  /** hosts(5). @default the platform's */
  readonly hosts?: string | undefined;
  /** nsswitch.conf(5), which holds on Linux. @default "/etc/nsswitch.conf" */
  readonly nsswitch?: string | undefined;
  /** How long one look-up may take, in milliseconds. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** What resolves names where only the system can. @default getaddrinfo of `@gw/interface` */
  readonly getaddrinfo?: Getaddrinfo | undefined;
  /** @default process.platform */
  readonly platform?: NodeJS.Platform | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** The IP addresses of a host. */
export interface HostAddresses {
  /** Best first; never empty. A link-local one has a zone. */
  readonly addresses: readonly string[];
  /** For how long they hold, in milliseconds, where that is known. */
  readonly ttlMs?: number;
}

/**
 * Resolves the name of a host.
 *
 * @param options.fresh what is remembered does not do, if it is older than a second
 * @throws {GatewayError} `name-not-resolved` if the host has no address; `timed-out`; `out-of-resources`;
 *   `unreachable` for an address whose zone is no interface of this machine
 */
export type SystemLookup = (host: string, options?: { readonly fresh?: boolean }) => Promise<HostAddresses>;

/** Names that are asked of DNS at a time, with a descriptor for each of their two families. */
const namesAtOnce = 16;
/** Names that wait for their turn. */
const maxWaiting = 2_000;
/** Refused addresses that are told. */
const maxTold = 1_000;
/** While others wait, a name that DNS does not answer for is given up after this time, and asked for again later. */
const sliceMs = 150;
/** A file costs little to look at; it may change at any time. */
const hostsTtlMs = 1_000;
/** How long the system alone is waited for, before DNS is asked as well. */
const headStartMs = 2_000;
const defaultTimeoutMs = 10_000;

/**
 * Looks hosts up as the system does, but so that names which cannot be resolved never hold back others:
 *
 * 1. `localhost` and what ends in `.localhost` is this machine, unless the file of hosts says where (RFC 6761).
 * 2. The file of hosts, for all names: absolute ones (with a trailing dot) too.
 * 3. Absolute names: DNS.
 * 4. Other names on Linux, where the name service switch has `files` and `dns` alone: DNS, with the search list.
 * 5. Elsewhere `getaddrinfo`, a few at a time. If that takes longer than two seconds DNS is asked as well, and counts
 *    if it has addresses.
 *
 * Of what DNS says, link-local, unspecified and multicast addresses are refused; in the file of hosts they count.
 */
export function createSystemLookup(options: SystemLookupOptions = {}): SystemLookup {
  const { timeoutMs = defaultTimeoutMs, clock = systemClock, platform = process.platform } = options;
  const getaddrinfo = options.getaddrinfo ?? systemGetaddrinfo;
  let own: DnsClient | undefined;
  const dns = options.dns ?? (() => (own ??= createDnsClient({ clock })));
  const absoluteDns = options.absoluteDns ?? dns;
  const hosts = followHosts(options.hosts);
  const nsswitch = followNsswitch(options.nsswitch);
  const inTurn = takingTurns({ atOnce: namesAtOnce, maxWaiting, sliceMs, clock });

  const fromFile = async (name: string): Promise<HostAddresses | undefined> => {
    const found = await hosts(name);
    const addresses = found.length === 0 && isLocalhost(name) ? ["::1", "127.0.0.1"] : found;
    return addresses.length > 0 ? { addresses: inOrderOfUse(addresses), ttlMs: hostsTtlMs } : undefined;
  };
  const fromDns = async (
    host: string,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<HostAddresses | undefined> => {
    const client = host.endsWith(".") ? absoluteDns() : dns();
    const { addresses: found, ttlMs } = await inTurn(
      turn => client.addresses(host, { signal: turn, fresh }),
      signal,
    );
    const addresses = permitted(host, found);
    return addresses.length > 0 ? { addresses: inOrderOfUse(addresses), ttlMs } : undefined;
  };
  const told = new Set<string>();
  /** What is at a link-local address depends on who asks: DNS must not choose among the services that are there. */
  const permitted = (host: string, found: readonly string[]): readonly string[] => {
    const refused = found.filter(isRefusedFromDns);
    for (const address of refused) {
      if (told.has(`${host} ${address}`) || told.size >= maxTold) continue;
      told.add(`${host} ${address}`);
      options.onRefused?.(host, address);
    }
    if (refused.length === 0) return found;
    if (refused.length === found.length)
      throw new GatewayError(
        "name-not-resolved",
        `${quote(host)} leads to ${refused.slice(0, 3).join(", ")}, which is refused from DNS; if it is meant, list the address itself`,
      );
    return found.filter(address => !isRefusedFromDns(address));
  };
  const fromSources = async (
    host: string,
    sources: readonly NameSource[],
    ask: { readonly [source in NameSource["source"]]: () => Promise<HostAddresses | undefined> },
  ): Promise<HostAddresses> => {
    let failure: unknown;
    for (const { source, endsWhenUnknown, endsWhenFailing } of sources) {
      try {
        const found = await ask[source]();
        if (found) return found;
        if (endsWhenUnknown) break;
      } catch (error) {
        failure = error;
        if (endsWhenFailing) break;
      }
    }
    throw failure ?? new GatewayError("name-not-resolved", `${quote(host)} has no address`);
  };
  /** The system, and DNS as well where that is slow: the first that has addresses, or why the system has none. */
  const fromSystem = async (host: string, fresh: boolean, signal: AbortSignal): Promise<HostAddresses> => {
    const asked = getaddrinfo(host).then(addresses => {
      if (addresses.length > 0) return { addresses };
      throw new GatewayError("name-not-resolved", `${quote(host)} has no address`);
    });
    return new Promise((resolve, reject) => {
      const cancel = clock.after(headStartMs, () => {
        fromDns(host, fresh, signal).then(
          found => found && resolve(found),
          () => {},
        );
      });
      asked.finally(cancel).then(resolve, reject);
    });
  };
  const lookUp = async (host: string, fresh: boolean, signal: AbortSignal): Promise<HostAddresses> => {
    const local = await fromFile(host);
    const askDns = (): Promise<HostAddresses | undefined> => fromDns(host, fresh, signal);
    const ask = { files: async () => local, dns: askDns };
    if (host.endsWith(".") || isLocalhost(host)) return fromSources(host, absoluteSources, ask);
    const sources = platform === "linux" ? await nsswitch(host) : undefined;
    if (sources) return fromSources(host, sources, ask);
    return local ?? fromSystem(host, fresh, signal);
  };

  return async (host, { fresh = false } = {}) => {
    if (isIP(host)) return { addresses: [withLocalZone(host)] };
    const late = new AbortController();
    const doing = `look up ${quote(host)}`;
    return new Promise<HostAddresses>((resolve, reject) => {
      const cancel = startTimeout(clock, timeoutMs, () => {
        const error = new GatewayError("timed-out", `${doing}: no answer within ${timeoutMs} ms`);
        reject(error);
        late.abort(error);
      });
      lookUp(host.toLowerCase(), fresh, late.signal)
        .finally(() => {
          cancel();
          late.abort();
        })
        .then(({ addresses, ttlMs }) => ({
          addresses: usableHere(addresses),
          ...(ttlMs !== undefined && { ttlMs }),
        }))
        .then(resolve, error => reject(GatewayError.from(error, doing)));
    });
  };
}

const absoluteSources: readonly NameSource[] = [
  { source: "files", endsWhenUnknown: false, endsWhenFailing: false },
  { source: "dns", endsWhenUnknown: false, endsWhenFailing: false },
];

/** RFC 6761, 6.3. */
function isLocalhost(name: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(name);
}

/** Those that sockets of this machine can take now. @throws {GatewayError} why none is */
function usableHere(addresses: readonly string[]): readonly string[] {
  let failure: unknown;
  const usable = addresses.flatMap(address => {
    try {
      return withLocalZone(address);
    } catch (error) {
      failure = error;
      return [];
    }
  });
  if (usable.length === 0 && failure) throw failure;
  return usable;
}
