import { type Clock, interfaceAddresses, startTimeout } from "@gw/interface";
import type { DnsAddresses } from "./client.js";
import { coalesced } from "./coalesce.js";
import type { ResourceRecord } from "./message.js";
import type { QueryOptions } from "./query-server.js";
import { type Resolved, resolve } from "./resolve.js";

/** A cache of the addresses of absolute names. */
export interface AddressCache {
  /** @param fresh looks them up again if they are older than a second. @default false */
  find(name: string, options: QueryOptions, fresh?: boolean): Promise<DnsAddresses>;
  /** Adds addresses from the additional section of an answer. */
  add(names: ReadonlySet<string>, records: readonly ResourceRecord[]): void;
  clear(): void;
}

type Family = "A" | "AAAA";

/** The addresses of one family of one name. */
interface Entry {
  readonly addresses: readonly string[];
  readonly exists: boolean;
  readonly atMs: number;
  readonly untilMs: number;
}

/** Names come from the network, so the cache must be bounded. Each takes two entries. */
const maxEntries = 2_000;
/** How long it is remembered that a name has no address: that is likely to be repaired soon. In milliseconds. */
const negativeMs = 5_000;
/** Younger addresses count as fresh, so that a name is not looked up with each dial. In milliseconds. */
const freshMs = 1_000;
/** How long to wait for the other family once one has addresses, and then not to look it up again. In milliseconds. */
const graceMs = 1_000;

/**
 * A and AAAA records are looked up in parallel (unless `singleRequest` is set) and remembered separately, each until its
 * TTL runs out. One family is enough: if the other fails, or takes more than a second longer, the name has the addresses
 * of the first.
 *
 * Addresses from additional sections are the least trustworthy (RFC 2181 §5.4.1): they never replace addresses that were
 * looked up and are still valid, and a family that is missing there is looked up.
 *
 * @param bounds limit the TTL; that there are no addresses is still remembered for five seconds at most
 */
export function createAddressCache(
  clock: Clock,
  preferIPv6: () => boolean,
  { minTtlMs, maxTtlMs }: { readonly minTtlMs: number; readonly maxTtlMs: number },
): AddressCache {
  const cache = new Map<string, Entry>();
  const coalesce = coalesced<DnsAddresses>();

  const keyOf = (name: string, family: Family): string => `${family} ${name}`;
  const remembered = (name: string, family: Family): Entry | undefined => {
    const entry = cache.get(keyOf(name, family));
    return entry && entry.untilMs > clock.now() ? entry : undefined;
  };
  const remember = (name: string, family: Family, found: Entry): Entry => {
    const key = keyOf(name, family);
    const entry = { ...found, untilMs: found.atMs + boundedTtl(found) };
    cache.delete(key);
    const [oldest] = cache.keys();
    if (oldest !== undefined && cache.size >= maxEntries) cache.delete(oldest);
    if (entry.untilMs > entry.atMs) cache.set(key, entry);
    return entry;
  };
  const boundedTtl = ({ addresses, atMs, untilMs }: Entry): number => {
    const ttlMs = Math.min(untilMs - atMs, maxTtlMs);
    return addresses.length > 0 ? Math.max(ttlMs, minTtlMs) : ttlMs;
  };
  const lookUp = async (name: string, family: Family, options: QueryOptions): Promise<Entry> =>
    remember(name, family, entryFrom(await resolve({ name, type: family }, options), clock.now()));
  const deleteStale = (name: string): void => {
    for (const family of ["A", "AAAA"] as const)
      if ((remembered(name, family)?.atMs ?? Infinity) < clock.now() - freshMs)
        cache.delete(keyOf(name, family));
  };

  const combine = (name: string, v4: Entry, v6: Entry): DnsAddresses => {
    const families = preferIPv6() ? [v6, v4] : [v4, v6];
    const nonEmpty = families.filter(({ addresses }) => addresses.length > 0);
    const until =
      nonEmpty.length > 0
        ? nonEmpty.map(({ untilMs }) => untilMs)
        : families.map(({ atMs, untilMs }) => Math.min(untilMs, atMs + negativeMs));
    return {
      name,
      addresses: families.flatMap(({ addresses }) => addresses),
      exists: families.every(({ exists }) => exists),
      ttlMs: Math.max(0, Math.min(...until) - clock.now()),
    };
  };

  const findRemembered = (name: string): DnsAddresses | undefined => {
    const [v4, v6] = [remembered(name, "A"), remembered(name, "AAAA")];
    if (!v4 || !v6) return undefined;
    const found = combine(name, v4, v6);
    if (found.ttlMs > 0) return found;
    for (const family of ["A", "AAAA"] as const) cache.delete(keyOf(name, family));
    return undefined;
  };

  /** Both families; once one has addresses, it waits for the other for `graceMs` at most. */
  const lookUpBoth = async (name: string, options: QueryOptions): Promise<DnsAddresses> => {
    const late = new AbortController();
    const signals = [late.signal, ...(options.signal ? [options.signal] : [])];
    const either = { ...options, signal: AbortSignal.any(signals) };
    const cancels: (() => void)[] = [];
    const family = async (type: Family): Promise<Entry> => {
      const entry = remembered(name, type) ?? (await lookUp(name, type, either));
      if (entry.addresses.length > 0) cancels.push(startTimeout(clock, graceMs, () => late.abort()));
      return entry;
    };
    const first = family("A");
    if (options.singleRequest) await first.catch(() => {});
    const [v4, v6] = await Promise.allSettled([first, family("AAAA")]);
    for (const cancel of cancels) cancel();
    options.signal?.throwIfAborted();
    if (v4.status === "fulfilled" && v6.status === "fulfilled") return combine(name, v4.value, v6.value);
    if (v4.status === "fulfilled" && suffices(v4.value))
      return combine(name, v4.value, absent(name, "AAAA", v4.value));
    if (v6.status === "fulfilled" && suffices(v6.value))
      return combine(name, absent(name, "A", v6.value), v6.value);
    throw v4.status === "rejected" ? v4.reason : (v6 as PromiseRejectedResult).reason;
  };

  /** Remembers a family that failed as empty for a while, so that it does not delay each look-up. */
  const absent = (name: string, family: Family, { exists }: Entry): Entry => {
    const atMs = clock.now();
    return remember(name, family, { addresses: [], exists, atMs, untilMs: atMs + graceMs });
  };

  return {
    async find(name, options, fresh = false) {
      if (fresh) deleteStale(name);
      const { signal, ...rest } = options;
      return (
        findRemembered(name) ?? coalesce(name, joint => lookUpBoth(name, { ...rest, signal: joint }), signal)
      );
    },
    add(names, records) {
      const atMs = clock.now();
      for (const name of names)
        for (const family of ["A", "AAAA"] as const) {
          if (remembered(name, family)) continue;
          const own = records.filter(record => record.name === name && record.type === family);
          const ttlMs = own.reduce(
            (least, record) => Math.min(least, record.ttlMs),
            Number.POSITIVE_INFINITY,
          );
          if (own.length > 0)
            remember(name, family, {
              addresses: addressesOf(own),
              exists: true,
              atMs,
              untilMs: atMs + ttlMs,
            });
        }
    },
    clear: () => cache.clear(),
  };
}

function entryFrom({ records, exists, ttlMs }: Resolved, atMs: number): Entry {
  return { addresses: addressesOf(records), exists, atMs, untilMs: atMs + ttlMs };
}

function addressesOf(records: readonly ResourceRecord[]): readonly string[] {
  return records.flatMap(record => ("address" in record ? [record.address] : []));
}

/** Whether the other family is not needed: this one has addresses, or the name does not exist. */
function suffices({ addresses, exists }: Entry): boolean {
  return addresses.length > 0 || !exists;
}

/** Whether this machine is known to have an IPv6 address that is neither loopback nor link-local. */
export function hasIPv6(): boolean {
  const addresses = interfaceAddresses() ?? [];
  return addresses.some(
    ({ family, internal, address }) => family === "IPv6" && !internal && !/^fe[89ab]/i.test(address),
  );
}
