import { randomInt } from "node:crypto";
import { formatAddress, systemClock } from "@gw/interface";
import { addressBook, hasIPv6 } from "./addresses.js";
import type { Asking } from "./ask.js";
import type { DnsClient, DnsClientOptions, SrvRecord } from "./client.js";
import { candidateNames } from "./name.js";
import { followResolvConf, type ResolverConfiguration } from "./resolv-conf.js";
import { type Resolved, resolve } from "./resolve.js";
import { search } from "./search.js";
import { ednsSupport, silentServers } from "./server-memory.js";

const defaultTimeoutMs = 2_000;
const defaultAttempts = 2;
const defaultMaxTtlMs = 300_000;

/** A client whose options are valid. */
export function searchingClient(options: DnsClientOptions): DnsClient {
  const { clock = systemClock, preferIPv6, randomId = () => randomInt(0x1_0000) } = options;
  const configuration = followResolvConf(options.resolvConf ?? "/etc/resolv.conf", options.environment);
  const { minTtlMs = 0, maxTtlMs = defaultMaxTtlMs } = options;
  const book = addressBook(clock, () => preferIPv6 ?? hasIPv6(), { minTtlMs, maxTtlMs });
  const edns = ednsSupport(clock);
  const silent = silentServers(clock);
  /** For `options rotate`: how often servers were asked. */
  let turn = 0;

  /** How to ask as `system` says, where the client's own options do not. */
  const askingOf = (system: ResolverConfiguration, signal: AbortSignal | undefined): Asking => {
    const servers = options.servers ?? system.servers;
    const start = system.rotate ? turn++ % servers.length : 0;
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

  /** Asks for the names that `name` may stand for. */
  const searchFor = async <R extends { readonly exists: boolean }>(
    name: string,
    signal: AbortSignal | undefined,
    ask: (name: string, asking: Asking) => Promise<R>,
    hasSome: (result: R) => boolean,
  ): Promise<R & { readonly name: string }> => {
    signal?.throwIfAborted();
    const system = configuration();
    return search(candidateNames(name, system), ask, hasSome, () => askingOf(system, signal));
  };

  return {
    async srv(name, { signal } = {}) {
      const found = await searchFor(
        name,
        signal,
        (full, asking) => resolve({ name: full, type: "SRV" }, asking),
        ({ records }) => records.length > 0,
      );
      const records = srvRecordsOf(found);
      book.note(new Set(records.map(({ target }) => target)), found.additionals);
      const { exists, ttlMs, server } = found;
      return { name: found.name, records, exists, ttlMs, server: formatAddress(server) };
    },
    addresses: (name, { signal, fresh = false } = {}) =>
      searchFor(
        name,
        signal,
        (full, asking) => book.find(full, asking, fresh),
        ({ addresses }) => addresses.length > 0,
      ),
    forget: book.forget,
  };
}

function srvRecordsOf({ records }: Resolved): readonly SrvRecord[] {
  return records.flatMap(record => {
    if (record.type !== "SRV") return [];
    const { priority, weight, port, target, ttlMs } = record;
    return [{ priority, weight, port, target, ttlMs }];
  });
}
