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
import { sortDestinations } from "./destination-order.js";
import { followHosts } from "./hosts.js";
import { followNsswitch, type NameSource } from "./nsswitch.js";
import { createTimeSlices } from "./time-slices.js";

/** Options of {@link createSystemLookup}. */
export interface SystemLookupOptions {
  /** The client for names without a trailing dot; called for each look-up in DNS. @default one createDnsClient() */
  readonly dns?: (() => DnsClient) | undefined;
  /** The client for absolute names, such as targets of SRV records. @default dns */
  readonly absoluteDns?: (() => DnsClient) | undefined;
  /**
   * DNS has `address` for `host`, which is rejected: it is a link-local, unspecified or multicast address. Called once
   * for each address of a host.
   */
  readonly onRejected?: ((host: string, address: string) => void) | undefined;
  /** hosts(5). @default the platform's */
  readonly hosts?: string | undefined;
  /** nsswitch.conf(5), used on Linux only. @default "/etc/nsswitch.conf" */
  readonly nsswitch?: string | undefined;
  /** The timeout of one look-up, in milliseconds. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** Resolves names that only the system can look up. @default getaddrinfo of `@gw/interface` */
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
  /** How long they are valid, in milliseconds, if that is known. */
  readonly ttlMs?: number;
}

/**
 * Resolves the name of a host.
 *
 * @param options.fresh looks remembered addresses up again if they are older than a second
 * @throws {GatewayError} `name-not-resolved` if the host has no address; `timed-out`; `out-of-resources`;
 *   `unreachable` for an address whose zone is not an interface of this machine
 */
export type SystemLookup = (host: string, options?: { readonly fresh?: boolean }) => Promise<HostAddresses>;

/** How many names are looked up in DNS at the same time, each with a file descriptor for each of its two families. */
const concurrency = 16;
/** How many more names may wait. */
const maxWaiting = 2_000;
/** How many rejected addresses are reported. */
const maxReported = 1_000;
/** While others wait, a look-up without an answer is aborted after this time, and repeated later. In milliseconds. */
const sliceMs = 150;
/** A file is cheap to read, and may change at any time. In milliseconds. */
const hostsTtlMs = 1_000;
/** How long to wait for `getaddrinfo` before DNS is queried as well, in milliseconds. */
const headStartMs = 2_000;
const defaultTimeoutMs = 10_000;

/**
 * Looks up hosts as the system does, but names that cannot be resolved never delay others:
 *
 * 1. `localhost` and names that end in `.localhost` are this machine, unless the hosts file has them (RFC 6761).
 * 2. The hosts file, for all names, also absolute ones (with a trailing dot).
 * 3. Absolute names: DNS.
 * 4. Other names on Linux, if the name service switch has only `files` and `dns`: DNS, with the search list.
 * 5. Otherwise `getaddrinfo`, a few at a time. If that takes longer than two seconds DNS is queried as well, and its
 *    addresses are used if there are any.
 *
 * Link-local, unspecified and multicast addresses are rejected from DNS, but accepted from the hosts file.
 */
export function createSystemLookup(options: SystemLookupOptions = {}): SystemLookup {
  const { timeoutMs = defaultTimeoutMs, clock = systemClock, platform = process.platform } = options;
  const getaddrinfo = options.getaddrinfo ?? systemGetaddrinfo;
  let own: DnsClient | undefined;
  const dns = options.dns ?? (() => (own ??= createDnsClient({ clock })));
  const absoluteDns = options.absoluteDns ?? dns;
  const hosts = followHosts(options.hosts);
  const nsswitch = followNsswitch(options.nsswitch);
  const inSlices = createTimeSlices({ concurrency, maxWaiting, sliceMs, clock });

  const fromFile = async (name: string): Promise<HostAddresses | undefined> => {
    const found = await hosts(name);
    const addresses = found.length === 0 && isLocalhost(name) ? ["::1", "127.0.0.1"] : found;
    return addresses.length > 0 ? { addresses: sortDestinations(addresses), ttlMs: hostsTtlMs } : undefined;
  };
  const fromDns = async (
    host: string,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<HostAddresses | undefined> => {
    const client = host.endsWith(".") ? absoluteDns() : dns();
    const { addresses: found, ttlMs } = await inSlices(
      slice => client.addresses(host, { signal: slice, fresh }),
      signal,
    );
    const addresses = permitted(host, found);
    return addresses.length > 0 ? { addresses: sortDestinations(addresses), ttlMs } : undefined;
  };
  const reported = new Set<string>();
  /** A link-local address means another host on each machine, so DNS must not choose it. */
  const permitted = (host: string, found: readonly string[]): readonly string[] => {
    const rejected = found.filter(isRefusedFromDns);
    for (const address of rejected) {
      if (reported.has(`${host} ${address}`) || reported.size >= maxReported) continue;
      reported.add(`${host} ${address}`);
      options.onRejected?.(host, address);
    }
    if (rejected.length === 0) return found;
    if (rejected.length === found.length)
      throw new GatewayError(
        "name-not-resolved",
        `${quote(host)} resolves to ${rejected.slice(0, 3).join(", ")}, which is rejected from DNS; to use it, list the address itself`,
      );
    return found.filter(address => !isRefusedFromDns(address));
  };
  const fromSources = async (
    host: string,
    sources: readonly NameSource[],
    lookUps: { readonly [source in NameSource["source"]]: () => Promise<HostAddresses | undefined> },
  ): Promise<HostAddresses> => {
    let failure: unknown;
    for (const { source, endsWhenUnknown, endsWhenFailing } of sources) {
      try {
        const found = await lookUps[source]();
        if (found) return found;
        if (endsWhenUnknown) break;
      } catch (error) {
        failure = error;
        if (endsWhenFailing) break;
      }
    }
    throw failure ?? new GatewayError("name-not-resolved", `${quote(host)} has no address`);
  };
  /** `getaddrinfo`, and DNS as well if that is slow: the first addresses, or why `getaddrinfo` has none. */
  const fromSystem = async (host: string, fresh: boolean, signal: AbortSignal): Promise<HostAddresses> => {
    const system = getaddrinfo(host).then(addresses => {
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
      system.finally(cancel).then(resolve, reject);
    });
  };
  const lookUp = async (host: string, fresh: boolean, signal: AbortSignal): Promise<HostAddresses> => {
    const local = await fromFile(host);
    const inDns = (): Promise<HostAddresses | undefined> => fromDns(host, fresh, signal);
    const lookUps = { files: async () => local, dns: inDns };
    if (host.endsWith(".") || isLocalhost(host)) return fromSources(host, absoluteSources, lookUps);
    const sources = platform === "linux" ? await nsswitch(host) : undefined;
    if (sources) return fromSources(host, sources, lookUps);
    return local ?? fromSystem(host, fresh, signal);
  };

  return async (host, { fresh = false } = {}) => {
    if (isIP(host)) return { addresses: [withLocalZone(host)] };
    const late = new AbortController();
    const operation = `look up ${quote(host)}`;
    return new Promise<HostAddresses>((resolve, reject) => {
      const cancel = startTimeout(clock, timeoutMs, () => {
        const error = new GatewayError("timed-out", `${operation}: no answer within ${timeoutMs} ms`);
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
        .then(resolve, error => reject(GatewayError.from(error, operation)));
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

/** Those that sockets of this machine can use now. @throws {GatewayError} why there are none */
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
