import { type Clock, interfaceAddresses, startTimeout } from "@gw/interface";
import type { Asking } from "./ask.js";
import { shared } from "./coalesce.js";
import type { ResourceRecord } from "./message.js";
import { type Resolved, resolve } from "./resolve.js";

/** The addresses of one name. */
export interface DnsAddresses {
  /** The full name that has them, or that was asked for: absolute, lower case. */
  readonly name: string;
  /** IP addresses, those to try first in front; empty if the name has none. */
  readonly addresses: readonly string[];
  /** Whether the name exists at all (not NXDOMAIN). */
  readonly exists: boolean;
  /** For how long this may still be used, in milliseconds. */
  readonly ttlMs: number;
}

/** Addresses of absolute names, remembered. */
export interface AddressBook {
  /** @param fresh asks anew, unless what is remembered is not older than a second */
  find(name: string, asking: Asking, fresh?: boolean): Promise<DnsAddresses>;
  /** Notes addresses that came along with an answer about something else. */
  note(names: ReadonlySet<string>, records: readonly ResourceRecord[]): void;
  forget(): void;
}

type Family = "A" | "AAAA";

/** What is remembered of one family of one name. */
interface Known {
  readonly addresses: readonly string[];
  readonly exists: boolean;
  readonly atMs: number;
  readonly untilMs: number;
}

/** Names come from the network; the memory of them must not grow for ever. Each takes two entries. */
const maxEntries = 2_000;
/** That a name has no address at all is likely to be mended soon, and is remembered for no longer. */
const negativeMs = 5_000;
/** Who wants to know anew does not ask more often than that, so that one name is not asked for with each dial. */
const freshMs = 1_000;
/** Once one family has answered with addresses, the other gets this long, and is then left alone as long. */
const graceMs = 1_000;

/**
 * A and AAAA are asked at once, unless they are to be single requests, and remembered apart, each until its TTL
 * runs out. One family is enough: if the other fails, or lags behind by more than a second, the name has the addresses of the first.
 *
 * Addresses noted from additional sections are the least trustworthy (RFC 2181 §5.4.1): they fill gaps, never
 * take the place of what was asked for and still holds, and a family that they leave out is asked for.
 *
 * @param bounds within which a TTL counts, whatever the server says; that there are no addresses is remembered for
 *   five seconds at most all the same
 */
export function addressBook(
  clock: Clock,
  preferIPv6: () => boolean,
  { minTtlMs, maxTtlMs }: { readonly minTtlMs: number; readonly maxTtlMs: number },
): AddressBook {
  const book = new Map<string, Known>();
  const share = shared<DnsAddresses>();

  const keyOf = (name: string, family: Family): string => `${family} ${name}`;
  const remembered = (name: string, family: Family): Known | undefined => {
    const known = book.get(keyOf(name, family));
    return known && known.untilMs > clock.now() ? known : undefined;
  };
  const remember = (name: string, family: Family, found: Known): Known => {
    const key = keyOf(name, family);
    const known = { ...found, untilMs: found.atMs + boundedTtl(found) };
    book.delete(key);
    const [oldest] = book.keys();
    if (oldest !== undefined && book.size >= maxEntries) book.delete(oldest);
    if (known.untilMs > known.atMs) book.set(key, known);
    return known;
  };
  const boundedTtl = ({ addresses, atMs, untilMs }: Known): number => {
    const ttlMs = Math.min(untilMs - atMs, maxTtlMs);
    return addresses.length > 0 ? Math.max(ttlMs, minTtlMs) : ttlMs;
  };
  const ask = async (name: string, family: Family, asking: Asking): Promise<Known> =>
    remember(name, family, knownFrom(await resolve({ name, type: family }, asking), clock.now()));
  const forgetOlder = (name: string): void => {
    for (const family of ["A", "AAAA"] as const)
      if ((remembered(name, family)?.atMs ?? Infinity) < clock.now() - freshMs)
        book.delete(keyOf(name, family));
  };

  const conclude = (name: string, v4: Known, v6: Known): DnsAddresses => {
    const families = preferIPv6() ? [v6, v4] : [v4, v6];
    const counting = families.filter(({ addresses }) => addresses.length > 0);
    const until =
      counting.length > 0
        ? counting.map(({ untilMs }) => untilMs)
        : families.map(({ atMs, untilMs }) => Math.min(untilMs, atMs + negativeMs));
    return {
      name,
      addresses: families.flatMap(({ addresses }) => addresses),
      exists: families.every(({ exists }) => exists),
      ttlMs: Math.max(0, Math.min(...until) - clock.now()),
    };
  };

  const recall = (name: string): DnsAddresses | undefined => {
    const [v4, v6] = [remembered(name, "A"), remembered(name, "AAAA")];
    if (!v4 || !v6) return undefined;
    const found = conclude(name, v4, v6);
    if (found.ttlMs > 0) return found;
    for (const family of ["A", "AAAA"] as const) book.delete(keyOf(name, family));
    return undefined;
  };

  /** Both families, the one that has addresses waiting no longer than the grace for the other. */
  const askBoth = async (name: string, asking: Asking): Promise<DnsAddresses> => {
    const late = new AbortController();
    const signals = [late.signal, ...(asking.signal ? [asking.signal] : [])];
    const either = { ...asking, signal: AbortSignal.any(signals) };
    const cancels: (() => void)[] = [];
    const family = async (type: Family): Promise<Known> => {
      const known = remembered(name, type) ?? (await ask(name, type, either));
      if (known.addresses.length > 0) cancels.push(startTimeout(clock, graceMs, () => late.abort()));
      return known;
    };
    const first = family("A");
    if (asking.singleRequest) await first.catch(() => {});
    const [v4, v6] = await Promise.allSettled([first, family("AAAA")]);
    for (const cancel of cancels) cancel();
    asking.signal?.throwIfAborted();
    if (v4.status === "fulfilled" && v6.status === "fulfilled") return conclude(name, v4.value, v6.value);
    if (v4.status === "fulfilled" && suffices(v4.value))
      return conclude(name, v4.value, absent(name, "AAAA", v4.value));
    if (v6.status === "fulfilled" && suffices(v6.value))
      return conclude(name, absent(name, "A", v6.value), v6.value);
    throw v4.status === "rejected" ? v4.reason : (v6 as PromiseRejectedResult).reason;
  };

  /** Stands for the family that failed; so that it does not delay each look-up, it is left alone for a while. */
  const absent = (name: string, family: Family, { exists }: Known): Known => {
    const atMs = clock.now();
    return remember(name, family, { addresses: [], exists, atMs, untilMs: atMs + graceMs });
  };

  return {
    async find(name, asking, fresh = false) {
      if (fresh) forgetOlder(name);
      const { signal, ...rest } = asking;
      return recall(name) ?? share(name, joint => askBoth(name, { ...rest, signal: joint }), signal);
    },
    note(names, records) {
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
    forget: () => book.clear(),
  };
}

function knownFrom({ records, exists, ttlMs }: Resolved, atMs: number): Known {
  return { addresses: addressesOf(records), exists, atMs, untilMs: atMs + ttlMs };
}

function addressesOf(records: readonly ResourceRecord[]): readonly string[] {
  return records.flatMap(record => ("address" in record ? [record.address] : []));
}

/** Whether one family alone settles it: it has addresses, or the name does not exist in any. */
function suffices({ addresses, exists }: Known): boolean {
  return addresses.length > 0 || !exists;
}

/** Whether this machine is known to have an IPv6 address that reaches beyond itself and its link. */
export function hasIPv6(): boolean {
  const addresses = interfaceAddresses() ?? [];
  return addresses.some(
    ({ family, internal, address }) => family === "IPv6" && !internal && !/^fe[89ab]/i.test(address),
  );
}
