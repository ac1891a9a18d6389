import { randomInt } from "node:crypto";
import { formatAddress, systemClock } from "@gw/interface";
import { addressBook, hasIPv6 } from "./addresses.js";
import type { Asking } from "./ask.js";
import type { DnsClient, DnsClientOptions, SrvRecord } from "./client.js";
import { candidateNames } from "./name.js";
import { followResolvConf } from "./resolv-conf.js";
import { type Resolved, resolve } from "./resolve.js";

const defaultTimeoutMs = 2_000;
const defaultAttempts = 2;
const defaultMaxTtlMs = 300_000;

/** A client whose options are valid. */
export function searchingClient(options: DnsClientOptions): DnsClient {
  const { clock = systemClock, preferIPv6, randomId = () => randomInt(0x1_0000) } = options;
  const configuration = followResolvConf(options.resolvConf ?? "/etc/resolv.conf");
  const { minTtlMs = 0, maxTtlMs = defaultMaxTtlMs } = options;
  const book = addressBook(clock, () => preferIPv6 ?? hasIPv6(), { minTtlMs, maxTtlMs });

  /** Asks for the names that `name` may stand for; the first answer that has something, or the best without. */
  const search = async <R extends { readonly exists: boolean }>(
    name: string,
    signal: AbortSignal | undefined,
    ask: (name: string, asking: Asking) => Promise<R>,
    hasSome: (result: R) => boolean,
  ): Promise<R & { readonly name: string }> => {
    signal?.throwIfAborted();
    const system = await configuration();
    const asking: Asking = {
      servers: options.servers ?? system.servers,
      timeoutMs: options.timeoutMs ?? system.timeoutMs ?? defaultTimeoutMs,
      attempts: options.attempts ?? system.attempts ?? defaultAttempts,
      clock,
      randomId,
      signal,
    };
    let best: (R & { readonly name: string }) | undefined;
    for (const candidate of candidateNames(name, system)) {
      const result = { ...(await ask(candidate, asking)), name: candidate };
      if (hasSome(result)) return result;
      if (!best || (result.exists && !best.exists)) best = result;
    }
    return best as R & { readonly name: string };
  };

  return {
    async srv(name, { signal } = {}) {
      const found = await search(
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
      search(
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
