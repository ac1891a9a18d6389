import { type Address, formatAddress, GatewayError } from "@gw/interface";
import { type Question, type Reply, type ResourceRecord, rcodes } from "./message.js";
import { isTimeout, type QueryOptions, queryServer, withPrefix } from "./query-server.js";

/** The records of one absolute name and type. */
export interface Resolved {
  /** The records at the end of the chain of aliases, with the TTL of each; empty if there are none. */
  readonly records: readonly ResourceRecord[];
  /** False if the name, or the one that it is an alias of, does not exist (NXDOMAIN). */
  readonly exists: boolean;
  /** How long this is valid, in milliseconds: the least TTL of records and aliases; without records the SOA's, or 0. */
  readonly ttlMs: number;
  /** The additional section of the last reply. */
  readonly additionals: readonly ResourceRecord[];
  /** Who sent the last reply. */
  readonly server: Address;
}

/** How long it is remembered that IPv6 addresses are not looked up, in milliseconds. */
const noAaaaMs = 5_000;
/** How many aliases (CNAME records) one look-up follows, in one reply or over several. */
const maxAliases = 8;

/**
 * Looks up one absolute name and follows its aliases, within a reply and, where that ends in an alias, with further
 * queries. A record counts only if its owner is the name itself or one of its aliases; all others are ignored.
 *
 * @throws {GatewayError} when no server answered: `timed-out` if all were silent, a local error if this machine is the
 *   cause, else `name-not-resolved`; the detail has the name, the type, the servers and their reasons.
 *   `name-not-resolved` if aliases form a loop or are too many
 */
export async function resolve(question: Question, options: QueryOptions): Promise<Resolved> {
  if (question.type === "AAAA" && options.noAaaa)
    return { ...noAddresses, server: options.servers[0] as Address };
  const chain = [question.name];
  let ttlMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const name = chain.at(-1) as string;
    const { reply, server } = await queryServers({ ...question, name }, options);
    ttlMs = Math.min(ttlMs, followAliases(chain, reply));
    const end = chain.at(-1) as string;
    const records = reply.answers.filter(record => record.name === end && record.type === question.type);
    const exists = records.length > 0 || reply.rcode !== rcodes.nxDomain;
    const negativeTtlMs = negativeTtlOf(end, reply);
    // The server has no data about the end of the chain: it needs a query of its own.
    if (records.length === 0 && exists && end !== name && negativeTtlMs === undefined) continue;
    const ttls = records.length > 0 ? records.map(record => record.ttlMs) : [negativeTtlMs ?? 0];
    ttlMs = ttls.reduce((least, ttl) => Math.min(least, ttl), ttlMs);
    return { records, exists, ttlMs, additionals: reply.additionals, server };
  }
}

const noAddresses = { records: [], exists: true, ttlMs: noAaaaMs, additionals: [] } as const;

/** Appends the aliases in `reply` to `chain`; returns the least TTL among them. */
function followAliases(chain: string[], reply: Reply): number {
  let ttlMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const name = chain.at(-1) as string;
    const alias = reply.answers.find(record => record.type === "CNAME" && record.name === name);
    if (alias?.type !== "CNAME") return ttlMs;
    if (chain.includes(alias.target)) throw invalidAliases(chain, `loop back to ${alias.target}`);
    if (chain.length > maxAliases) throw invalidAliases(chain, `are more than ${maxAliases}`);
    chain.push(alias.target);
    ttlMs = Math.min(ttlMs, alias.ttlMs);
  }
}

function invalidAliases([name]: readonly string[], what: string): GatewayError {
  return new GatewayError("name-not-resolved", `look up ${name}: its aliases (CNAME) ${what}`);
}

/** RFC 2308: how long the absence of records may be remembered; undefined without a SOA of the zone of `name`. */
function negativeTtlOf(name: string, { authorities }: Reply): number | undefined {
  const soa = authorities.find(
    record => record.type === "SOA" && (record.name === "." || `.${name}`.endsWith(`.${record.name}`)),
  );
  return soa?.type === "SOA" ? soa.negativeTtlMs : undefined;
}

/** The timeout for a server that was silent recently, while there are others to query. In milliseconds. */
const silentTimeoutMs = 100;

/**
 * Queries the servers in their order, and all of them again, until one answers. One that refuses, fails, is silent or is
 * lame is skipped. One that was silent is queried without EDNS the next time. One that was silent for another name
 * recently has a short timeout, but the full one in the last attempt.
 */
async function queryServers(
  question: Question,
  options: QueryOptions,
): Promise<{ readonly reply: Reply; readonly server: Address }> {
  const { servers, attempts, clock, silentServers, signal } = options;
  const failures = new Map<string, GatewayError>();
  /** Servers that did not answer their last query with EDNS. */
  const silent = new Set<string>();
  for (let attempt = 0; attempt < attempts; attempt++)
    for (const server of servers) {
      const address = formatAddress(server);
      const isShort = attempt + 1 < attempts && servers.length > 1 && silentServers?.has(address);
      const timeoutMs = isShort ? Math.min(silentTimeoutMs, options.timeoutMs) : options.timeoutMs;
      const startedAt = clock.now();
      try {
        const reply = await queryServer(question, server, silent, { ...options, timeoutMs });
        silentServers?.answered(address);
        return { reply, server };
      } catch (error) {
        // A caller that gives up after that time has found the server to be silent, too.
        const waited = signal?.aborted && clock.now() - startedAt >= silentTimeoutMs;
        if (!isShort && (waited || isTimeout(error))) silentServers?.silent(address);
        if (isShort) silent.delete(address);
        if (signal?.aborted) throw signal.reason;
        failures.set(address, withPrefix(address, error));
      }
    }
  const errors = [...failures.values()];
  const local = errors.find(error => error.isLocal);
  const code = errors.every(isTimeout) ? "timed-out" : "name-not-resolved";
  const reasons = errors.map(({ detail }) => detail).join("; ");
  throw new GatewayError(
    local?.code ?? code,
    `look up ${question.type} records of ${question.name}: ${reasons}`,
    { cause: errors.at(-1) },
  );
}
