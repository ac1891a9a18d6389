import { isIP } from "node:net";
import { type Address, type Clock, GatewayError, quote } from "@gw/interface";
import type { DnsAddresses } from "./addresses.js";
import type { ResolverEnvironment } from "./resolv-conf.js";

export type { DnsAddresses } from "./addresses.js";

/** Options of {@link createDnsClient}. */
export interface DnsClientOptions {
  /**
   * Name servers, by IP address, in the order in which they are asked. Search rules and options are the resolver
   * configuration's all the same.
   * @default those of the resolver configuration
   */
  readonly servers?: readonly Address[] | undefined;
  /** The resolver configuration, resolv.conf(5); read again whenever it changed. @default "/etc/resolv.conf" */
  readonly resolvConf?: string | undefined;
  /** The variables LOCALDOMAIN and RES_OPTIONS, as in resolv.conf(5). @default neither is set */
  readonly environment?: ResolverEnvironment | undefined;
  /**
   * How long to wait for one answer of one server, in milliseconds; again as long for TCP after UDP.
   * @default `options timeout` of the resolver configuration, else 2000
   */
  readonly timeoutMs?: number | undefined;
  /** How often each server is asked. @default `options attempts` of the resolver configuration, else 2 */
  readonly attempts?: number | undefined;
  /**
   * The least time for which addresses are remembered whatever their TTL, in milliseconds, and the longest. That a name
   * has none is remembered for five seconds at most. @default 0 and 300000
   */
  readonly minTtlMs?: number | undefined;
  readonly maxTtlMs?: number | undefined;
  /** Whether IPv6 addresses come before IPv4. @default whether this machine has one that reaches beyond its link */
  readonly preferIPv6?: boolean | undefined;
  /** @default the system's */
  readonly clock?: Clock | undefined;
  /** A number of 0 to 65535 for each query, not to be guessed. @default from node:crypto */
  readonly randomId?: (() => number) | undefined;
}

/** One SRV record (RFC 2782). */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /**
   * Absolute, lower case, with its trailing dot; "." means that the service is not offered. It is what the
   * server sent: whether it is a host name is for the caller to judge.
   */
  readonly target: string;
  /** In milliseconds. */
  readonly ttlMs: number;
}

/** What DNS says about a name. That it has no such records is an answer, not an error. */
export interface DnsAnswer<R> {
  /** The full name that was asked: absolute, lower case, with its trailing dot. */
  readonly name: string;
  /** In the order of the answer; empty if there are none (NODATA) or the name does not exist (NXDOMAIN). */
  readonly records: readonly R[];
  /** Whether the name exists (not NXDOMAIN). */
  readonly exists: boolean;
  /** The least TTL of records and aliases, in milliseconds; without records the SOA's (RFC 2308), or 0. */
  readonly ttlMs: number;
  /** `host:port` of the server that answered. */
  readonly server: string;
}

/** Options of one look-up. */
interface LookupOptions {
  /** Gives the look-up up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether addresses that are remembered for more than a second are asked for anew. @default false */
  readonly fresh?: boolean | undefined;
}

/**
 * Asks DNS. Names with a trailing dot are asked as they are; others by the search rules of resolv.conf(5),
 * until one has what was asked for. `/etc/hosts` is not looked at. A look-up holds sockets and timers only
 * while it runs.
 *
 * Look-ups reject with a {@link GatewayError} when no name has what was asked for and one of them was not answered
 * by any server: `timed-out`, `name-not-resolved`, or this machine's own trouble, with the name, the servers and
 * their reasons. That a name does not exist is told only when all that it may stand for were asked.
 */
export interface DnsClient {
  /** The SRV records of a name, asked for anew each time. */
  srv(name: string, options?: LookupOptions): Promise<DnsAnswer<SrvRecord>>;
  /**
   * The IPv4 and IPv6 addresses of a name, those of the preferred family first, each family in the order of
   * the answer (much simpler than RFC 6724). Remembered until their TTL runs out; that there are none for
   * five seconds at most. Addresses that came with an SRV answer for its targets are used as if asked for,
   * but never instead of those that were.
   */
  addresses(name: string, options?: LookupOptions): Promise<DnsAddresses>;
  /** Forgets remembered addresses. */
  forget(): void;
}

/**
 * Creates a client that asks the system's name servers, or given ones, over UDP, and TCP where answers are
 * truncated. It opens nothing before it is asked, so it need not be closed.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function createDnsClient(options: DnsClientOptions = {}): DnsClient {
  validate(options);
  // What speaks DNS is loaded by whoever needs it only; but not as late as the first look-up, when there may be
  // no descriptor left to load it with.
  const loading = import("./searching-client.js").then(({ searchingClient }) => searchingClient(options));
  // Who asks is told.
  loading.catch(() => {});
  return {
    srv: async (name, options) => (await loading).srv(name, options),
    addresses: async (name, options) => (await loading).addresses(name, options),
    forget() {
      loading.then(
        client => client.forget(),
        () => {},
      );
    },
  };
}

function validate({ servers, timeoutMs, attempts }: DnsClientOptions): void {
  if (servers?.length === 0) throw new GatewayError("invalid-option", "the list of DNS servers is empty");
  for (const { host } of servers ?? [])
    if (isIP(host) === 0)
      throw new GatewayError("invalid-option", `DNS server ${quote(host)} is not an IP address`);
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= 0x7fff_ffff))
    throw new GatewayError("invalid-option", "the DNS timeout must be more than 0");
  if (attempts !== undefined && !(Number.isInteger(attempts) && attempts > 0))
    throw new GatewayError("invalid-option", "the number of DNS attempts must be a whole number above 0");
}
