import { type Address, type Clock, formatAddress, GatewayError } from "@gw/interface";
import { type Question, type Reply, rcodes } from "./message.js";
import { askOverTcp } from "./tcp.js";
import { askOverUdp } from "./udp.js";
import type { Limits } from "./within.js";

/** How servers are asked. */
export interface Asking {
  readonly servers: readonly Address[];
  /** For one answer over one transport, in milliseconds. */
  readonly timeoutMs: number;
  /** How often each server is asked. */
  readonly attempts: number;
  readonly clock: Clock;
  /** A number of 0 to 65535, not to be guessed. */
  readonly randomId: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** A reply that answers: the name has the records in it, or has none, or does not exist. */
export interface Answered {
  readonly reply: Reply;
  readonly server: Address;
}

/**
 * Asks the servers in their order, and all of them again, until one answers. One that refuses, fails, is
 * silent or does not know (a lame one) is passed over.
 *
 * @throws {GatewayError} when none did: `timed-out` if all were silent, this machine's own trouble if that is
 *   what it was, else `name-not-resolved`; the detail tells the name, the type, the servers and their reasons
 */
export async function askServers(question: Question, asking: Asking): Promise<Answered> {
  const failures = new Map<string, GatewayError>();
  for (let attempt = 0; attempt < asking.attempts; attempt++)
    for (const server of asking.servers) {
      try {
        return { reply: await askServer(question, server, asking), server };
      } catch (error) {
        if (asking.signal?.aborted) throw asking.signal.reason;
        failures.set(formatAddress(server), inWords(error, formatAddress(server)));
      }
    }
  const errors = [...failures.values()];
  const local = errors.find(error => error.isLocal);
  const code = errors.every(error => error.code === "timed-out") ? "timed-out" : "name-not-resolved";
  const reasons = errors.map(({ detail }) => detail).join("; ");
  throw new GatewayError(
    local?.code ?? code,
    `look up ${question.type} records of ${question.name}: ${reasons}`,
    { cause: errors.at(-1) },
  );
}

/** The failure of one server, which `address` names. */
function inWords(error: unknown, address: string): GatewayError {
  if (!(error instanceof GatewayError)) return GatewayError.from(error, address);
  return new GatewayError(error.code, `${address}: ${error.detail}`, { cause: error });
}

async function askServer(question: Question, server: Address, asking: Asking): Promise<Reply> {
  const limits: Limits = asking;
  let query = { ...question, id: asking.randomId(), edns: true };
  let reply = await askOverUdp(server, query, limits);
  if (refusesEdns(reply)) {
    query = { ...question, id: asking.randomId(), edns: false };
    reply = await askOverUdp(server, query, limits);
  }
  if (reply.truncated) reply = await askOverTcp(server, { ...query, id: asking.randomId() }, limits);
  if (reply.truncated) throw new GatewayError("name-not-resolved", "sent a truncated answer over TCP");
  if (reply.rcode !== rcodes.noError && reply.rcode !== rcodes.nxDomain)
    throw new GatewayError("name-not-resolved", `answered ${rcodeName(reply.rcode)}`);
  if (isLame(reply)) throw new GatewayError("name-not-resolved", "does not know and does not ask others");
  return reply;
}

function refusesEdns({ rcode }: Reply): boolean {
  return rcode === rcodes.formErr || rcode === rcodes.notImp || rcode === rcodes.badVers;
}

/** A referral, or nothing, from a server that has no authority and does not recurse: it says nothing. */
function isLame({ rcode, authoritative, recursionAvailable, answers, authorities }: Reply): boolean {
  const says = answers.length > 0 || authorities.some(({ type }) => type === "SOA");
  return rcode === rcodes.noError && !says && !authoritative && !recursionAvailable;
}

const names: { readonly [rcode: number]: string } = {
  1: "FORMERR",
  2: "SERVFAIL",
  4: "NOTIMP",
  5: "REFUSED",
  9: "NOTAUTH",
  16: "BADVERS",
};

function rcodeName(rcode: number): string {
  return names[rcode] ?? `RCODE ${rcode}`;
}
