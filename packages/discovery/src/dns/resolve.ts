import { type Address, GatewayError } from "@gw/interface";
import { type Asking, askServers } from "./ask.js";
import { type Question, type Reply, type ResourceRecord, rcodes } from "./message.js";

/** What is known about one absolute name and type. */
export interface Resolved {
  /** The records at the end of the chain of aliases, with the TTL of each; empty if there are none. */
  readonly records: readonly ResourceRecord[];
  /** False if the name, or the one that it is an alias of, does not exist (NXDOMAIN). */
  readonly exists: boolean;
  /** For how long this holds: the least TTL of records and aliases; for none the SOA's, 0 without one. */
  readonly ttlMs: number;
  /** What the last reply had to say beyond what was asked. */
  readonly additionals: readonly ResourceRecord[];
  /** Who sent the last reply. */
  readonly server: Address;
}

/** For how long it holds that IPv6 addresses are not asked for, in milliseconds. */
const noAaaaMs = 5_000;
/** How many aliases (CNAME records) one look-up follows, in one reply or over several. */
const maxAliases = 8;

/**
 * Looks one absolute name up and follows its aliases, within a reply and, where that ends in an alias, by
 * asking on. Records count only if their owner is the name asked for or an alias on the way: whatever else a
 * reply holds is not believed.
 *
 * @throws {GatewayError} as {@link askServers}; `name-not-resolved` if aliases form a loop or are too many
 */
export async function resolve(question: Question, asking: Asking): Promise<Resolved> {
  if (question.type === "AAAA" && asking.noAaaa) return { ...nothing, server: asking.servers[0] as Address };
  const chain = [question.name];
  let ttlMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const name = chain.at(-1) as string;
    const { reply, server } = await askServers({ ...question, name }, asking);
    ttlMs = Math.min(ttlMs, followAliases(chain, reply));
    const end = chain.at(-1) as string;
    const records = reply.answers.filter(record => record.name === end && record.type === question.type);
    const exists = records.length > 0 || reply.rcode !== rcodes.nxDomain;
    const negativeTtlMs = negativeTtlOf(end, reply);
    // An alias whose end this server knows nothing about has to be asked for.
    if (records.length === 0 && exists && end !== name && negativeTtlMs === undefined) continue;
    const ttls = records.length > 0 ? records.map(record => record.ttlMs) : [negativeTtlMs ?? 0];
    ttlMs = ttls.reduce((least, ttl) => Math.min(least, ttl), ttlMs);
    return { records, exists, ttlMs, additionals: reply.additionals, server };
  }
}

const nothing = { records: [], exists: true, ttlMs: noAaaaMs, additionals: [] } as const;

/** Appends the aliases that `reply` leads on to; the least TTL among them. */
function followAliases(chain: string[], reply: Reply): number {
  let ttlMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const name = chain.at(-1) as string;
    const alias = reply.answers.find(record => record.type === "CNAME" && record.name === name);
    if (alias?.type !== "CNAME") return ttlMs;
    if (chain.includes(alias.target)) throw unending(chain, `loop back to ${alias.target}`);
    if (chain.length > maxAliases) throw unending(chain, `are more than ${maxAliases}`);
    chain.push(alias.target);
    ttlMs = Math.min(ttlMs, alias.ttlMs);
  }
}

/** RFC 2308: how long it may be remembered that there is nothing, if the zone of `name` said so. */
function negativeTtlOf(name: string, { authorities }: Reply): number | undefined {
  const soa = authorities.find(
    record => record.type === "SOA" && (record.name === "." || `.${name}`.endsWith(`.${record.name}`)),
  );
  return soa?.type === "SOA" ? soa.negativeTtlMs : undefined;
}

function unending([name]: readonly string[], what: string): GatewayError {
  return new GatewayError("name-not-resolved", `look up ${name}: its aliases (CNAME) ${what}`);
}
