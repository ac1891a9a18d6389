import type { Address, Clock } from "@gw/interface";
import type { ResolverEnvironment } from "./resolv-conf.js";

/** Options of {@link createDnsClient}. */
export interface DnsClientOptions {
  /**
   * Name servers, by IP address, in the order in which they are queried. Search rules and options are still those of the
   * resolver configuration.
   * @default those of the resolver configuration
   */
  readonly servers?: readonly Address[] | undefined;
  /** The resolver configuration, resolv.conf(5); read again whenever it changed. @default "/etc/resolv.conf" */
  readonly resolvConf?: string | undefined;
  /** The variables LOCALDOMAIN and RES_OPTIONS, as in resolv.conf(5). @default neither is set */
  readonly environment?: ResolverEnvironment | undefined;
  /**
   * The timeout for one answer of one server, in milliseconds; TCP after UDP has its own.
   * @default `options timeout` of the resolver configuration, else 2000
   */
  readonly timeoutMs?: number | undefined;
  /** How often each server is queried. @default `options attempts` of the resolver configuration, else 2 */
  readonly attempts?: number | undefined;
  /**
   * The least time for which addresses are remembered whatever their TTL, in milliseconds, and the longest. That a name
   * has none is remembered for five seconds at most. @default 0 and 300000
   */
  readonly minTtlMs?: number | undefined;
  readonly maxTtlMs?: number | undefined;
  /** Whether IPv6 addresses come before IPv4. @default whether this machine has one with more than link-local scope */
  readonly preferIPv6?: boolean | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** An unpredictable number of 0 to 65535 for each query. @default from node:crypto */
  readonly randomId?: (() => number) | undefined;
}

/** Options of one look-up. */
interface LookupOptions {
  /** Aborts the look-up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Whether addresses that have been remembered for more than a second are looked up again. @default false */
  readonly fresh?: boolean | undefined;
}

/** The answer for a name. That it has no such records is an answer, not an error. */
export interface DnsAnswer<R> {
  /** The full name that was looked up: absolute, lower case, with its trailing dot. */
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

/** One SRV record (RFC 2782). */
export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /**
   * Absolute, lower case, with its trailing dot; "." means that the service is not offered. It is what the server sent:
   * the caller must check that it is a host name.
   */
  readonly target: string;
  /** In milliseconds. */
  readonly ttlMs: number;
}

/** The addresses of one name. */
export interface DnsAddresses {
  /** The full name that has them, or that was looked up: absolute, lower case. */
  readonly name: string;
  /** IP addresses, in the order in which to try them; empty if the name has none. */
  readonly addresses: readonly string[];
  /** Whether the name exists (not NXDOMAIN). */
  readonly exists: boolean;
  /** How long they may still be used, in milliseconds. */
  readonly ttlMs: number;
}

/**
 * Queries DNS. Names with a trailing dot are looked up as they are; others by the search rules of resolv.conf(5), until
 * one has the records. `/etc/hosts` is not read. A look-up has sockets and timers only while it runs.
 *
 * A look-up rejects with a {@link GatewayError} when no name has the records and one of the names was not answered by any
 * server: `timed-out`, `name-not-resolved`, or a local error, with the name, the servers and their reasons. An answer
 * that a name does not exist means that all names it may stand for were looked up.
 */
export interface DnsClient {
  /** The SRV records of a name, looked up each time. */
  srv(name: string, options?: LookupOptions): Promise<DnsAnswer<SrvRecord>>;
  /**
   * The IPv4 and IPv6 addresses of a name, those of the preferred family first, each family in the order of the answer
   * (much simpler than RFC 6724). Remembered until their TTL runs out; that there are none for five seconds at most.
   * Addresses in the additional section of an SRV answer are used as well, but never instead of those that were looked up.
   */
  addresses(name: string, options?: LookupOptions): Promise<DnsAddresses>;
  /** Forgets remembered addresses. */
  forget(): void;
}
