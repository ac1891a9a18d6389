import { randomInt } from "node:crypto";
import { formatAddress, GatewayError, systemClock } from "@gw/interface";
import { createAddressCache, hasIPv6 } from "./addresses.js";
import type { DnsClient, DnsClientOptions, SrvRecord } from "./client.js";
import { candidateNames } from "./name.js";
import type { QueryOptions } from "./query-server.js";
import { followResolvConf, type ResolverConfiguration } from "./resolv-conf.js";
import { type Resolved, resolve } from "./resolve.js";
import { ednsSupport, silentServers } from "./server-memory.js";

const defaultTimeoutMs = 2_000;
const defaultAttempts = 2;
const defaultMaxTtlMs = 300_000;

/** A client that applies the search rules of the resolver configuration. Its options must be valid. */
export function createSearchingClient(options: DnsClientOptions): DnsClient {
  const { clock = systemClock, preferIPv6, randomId = () => randomInt(0x1_0000) } = options;
  const configuration = followResolvConf(options.resolvConf ?? "/etc/resolv.conf", options.environment);
  const { minTtlMs = 0, maxTtlMs = defaultMaxTtlMs } = options;
  const cache = createAddressCache(clock, () => preferIPv6 ?? hasIPv6(), { minTtlMs, maxTtlMs });
  const edns = ednsSupport(clock);
  const silent = silentServers(clock);
  /** For `options rotate`: how many names were looked up. */
  let rotation = 0;

  /** The options of the client, and those of `system` for the rest. */
  const queryOptions = (system: ResolverConfiguration, signal: AbortSignal | undefined): QueryOptions => {
    const servers = options.servers ?? system.servers;
    const start = system.rotate ? rotation++ % servers.length : 0;
    return {
      servers: [...servers.slice(start), ...servers.slice(0, start)],
      timeoutMs: options.timeoutMs ?? system.timeoutMs ?? defaultTimeoutMs,
      attempts: options.attempts ?? system.attempts ?? defaultAttempts,
      clock,
      randomId,
      edns: system.edns0 === false ? undefined : edns,
      silentServers: silent,
      useVc: system.useVc,
      noAaaa: system.noAaaa,
      singleRequest: system.singleRequest,
      signal,
    };
  };

  const searchFor = async <R extends Result>(
    name: string,
    signal: AbortSignal | undefined,
    lookUp: (name: string, options: QueryOptions) => Promise<R>,
    hasRecords: (result: R) => boolean,
  ): Promise<R & Named> => {
    signal?.throwIfAborted();
    const system = configuration();
    return search(candidateNames(name, system), lookUp, hasRecords, () => queryOptions(system, signal));
  };

  return {
    async srv(name, { signal } = {}) {
      const found = await searchFor(
        name,
        signal,
        (full, options) => resolve({ name: full, type: "SRV" }, options),
        ({ records }) => records.length > 0,
      );
      const records = srvRecordsOf(found);
      cache.add(new Set(records.map(({ target }) => target)), found.additionals);
      const { exists, ttlMs, server } = found;
      return { name: found.name, records, exists, ttlMs, server: formatAddress(server) };
    },
    addresses: (name, { signal, fresh = false } = {}) =>
      searchFor(
        name,
        signal,
        (full, options) => cache.find(full, options, fresh),
        ({ addresses }) => addresses.length > 0,
      ),
    forget: cache.clear,
  };
}

function srvRecordsOf({ records }: Resolved): readonly SrvRecord[] {
  return records.flatMap(record => {
    if (record.type !== "SRV") return [];
    const { priority, weight, port, target, ttlMs } = record;
    return [{ priority, weight, port, target, ttlMs }];
  });
}

/** What a search needs of a result. */
interface Result {
  /** Whether the name exists (not NXDOMAIN). */
  readonly exists: boolean;
}

interface Named {
  readonly name: string;
}

/**
 * Looks up the absolute names that a name may stand for, one after the other, until one has the records. A name that
 * cannot be looked up does not end the search: perhaps only its domain is broken. When all servers were silent, they get
 * one attempt for each of the other names, so that a search among many ends.
 *
 * "No records" is believed only if all names could be looked up; the result is then that of a name that exists, if any.
 *
 * @throws {GatewayError} of the name that failed for the most informative reason: a local error, then a server's error,
 *   then silence. Its detail mentions the other names, too
 */
async function search<R extends Result>(
  names: readonly string[],
  lookUp: (name: string, options: QueryOptions) => Promise<R>,
  hasRecords: (result: R) => boolean,
  nextOptions: () => QueryOptions,
): Promise<R & Named> {
  const results: (R & Named)[] = [];
  const failures: Failure[] = [];
  for (const name of names) {
    const options = nextOptions();
    const wereSilent = failures.some(({ error }) => error.code === "timed-out");
    try {
      const found = await lookUp(name, wereSilent ? { ...options, attempts: 1 } : options);
      const result = { ...found, name };
      if (hasRecords(result)) return result;
      results.push(result);
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      failures.push({ name, error: GatewayError.from(error, `look up ${name}`) });
    }
  }
  if (failures.length > 0) throw mostInformative(failures, results);
  return (results.find(({ exists }) => exists) ?? results[0]) as R & Named;
}

interface Failure extends Named {
  readonly error: GatewayError;
}

/** How many of the other names an error mentions. */
const maxMentioned = 5;

function mostInformative(failures: readonly Failure[], results: readonly (Result & Named)[]): GatewayError {
  const [first, ...rest] = [...failures].sort((one, other) => rank(one) - rank(other)) as [
    Failure,
    ...Failure[],
  ];
  const others = [
    ...rest.map(({ name, error }) => `${name} failed as well (${error.code})`),
    ...results.map(({ name, exists }) => `${name} ${exists ? "has none" : "does not exist"}`),
  ];
  if (others.length === 0) return first.error;
  const mentioned = others.slice(0, maxMentioned);
  if (others.length > mentioned.length) mentioned.push(`${others.length - mentioned.length} other names`);
  return new GatewayError(first.error.code, [first.error.detail, ...mentioned].join("; "), {
    cause: first.error,
  });
}

function rank({ error }: Failure): number {
  if (error.isLocal) return 0;
  return error.code === "timed-out" ? 2 : 1;
}
