import { type Address, type Clock, formatAddress, GatewayError } from "@gw/interface";
import { type Exchanged, exchange, isAnswer } from "./exchange.js";
import { type Question, type Reply, rcodes } from "./message.js";
import type { EdnsSupport, SilentServers } from "./server-memory.js";
import { type OpenChannel, openTcp, openUdp } from "./transport.js";

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
  /** What is known of the servers; undefined if EDNS is not to be used. */
  readonly edns: EdnsSupport | undefined;
  /** Which servers were silent for other names. @default nothing is known, and nothing remembered */
  readonly silentServers?: SilentServers | undefined;
  /** Whether to ask over TCP alone. @default false */
  readonly useVc?: boolean | undefined;
  /** Whether not to ask for IPv6 addresses. @default false */
  readonly noAaaa?: boolean | undefined;
  /** Whether to ask for IPv4 and IPv6 addresses one after the other. @default false */
  readonly singleRequest?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A reply that answers: the name has the records in it, or has none, or does not exist. */
export interface Answered {
  readonly reply: Reply;
  readonly server: Address;
}

/** How long a server that was silent of late is waited for while there are others to ask, in milliseconds. */
const silentTimeoutMs = 100;

/**
 * Asks the servers in their order, and all of them again, until one answers. One that refuses, fails, is
 * silent or does not know (a lame one) is passed over. One that was silent is asked without EDNS the next time. One
 * that was silent for another name of late is passed over sooner, but gets its full time in the last attempt.
 *
 * @throws {GatewayError} when none did: `timed-out` if all were silent, this machine's own trouble if that is
 *   what it was, else `name-not-resolved`; the detail tells the name, the type, the servers and their reasons
 */
export async function askServers(question: Question, asking: Asking): Promise<Answered> {
  const failures = new Map<string, GatewayError>();
  /** Servers that were silent when they were asked with EDNS last. */
  const silent = new Set<string>();
  for (let attempt = 0; attempt < asking.attempts; attempt++)
    for (const server of asking.servers) {
      const address = formatAddress(server);
      const shortly =
        attempt + 1 < asking.attempts && asking.servers.length > 1 && asking.silentServers?.has(address);
      const timeoutMs = shortly ? Math.min(silentTimeoutMs, asking.timeoutMs) : asking.timeoutMs;
      const startedAt = asking.clock.now();
      try {
        const reply = await askServer(question, server, silent, { ...asking, timeoutMs });
        asking.silentServers?.answered(address);
        return { reply, server };
      } catch (error) {
        // Who gives up after that time has seen it to be silent, too.
        const waited = asking.signal?.aborted && asking.clock.now() - startedAt >= silentTimeoutMs;
        if (!shortly && (waited || isTimeout(error))) asking.silentServers?.silent(address);
        if (shortly) silent.delete(address);
        if (asking.signal?.aborted) throw asking.signal.reason;
        failures.set(address, inWords(error, address));
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

function isTimeout(error: unknown): boolean {
  return error instanceof GatewayError && error.code === "timed-out";
}

/** `error` with `what` in front. */
function inWords(error: unknown, what: string): GatewayError {
  if (!(error instanceof GatewayError)) return GatewayError.from(error, what);
  return new GatewayError(error.code, `${what}: ${error.detail}`, { cause: error });
}

async function askServer(
  question: Question,
  server: Address,
  silent: Set<string>,
  asking: Asking,
): Promise<Reply> {
  const open = asking.useVc ? openTcp : openUdp;
  const first = await askWithFallback(question, server, open, silent, asking);
  let { reply } = first;
  // What fits into a truncated answer is not used: a part of the records would look as if the rest were gone.
  if (reply.truncated && open === openUdp)
    try {
      ({ reply } = await askOver(openTcp, question, server, first.edns, asking));
    } catch (error) {
      throw inWords(error, "sent a truncated answer, and over TCP");
    }
  if (reply.truncated) throw new GatewayError("name-not-resolved", "sent a truncated answer over TCP");
  if (!isAnswer(reply)) throw new GatewayError("name-not-resolved", `answered ${rcodeName(reply.rcode)}`);
  if (isLame(reply)) throw new GatewayError("name-not-resolved", "does not know and does not ask others");
  return reply;
}

/**
 * Asks with EDNS where that is likely to be understood, and notes whether it was. Who is asked only once and is
 * silent is asked without after half the time.
 */
async function askWithFallback(
  question: Question,
  server: Address,
  open: OpenChannel,
  silent: Set<string>,
  asking: Asking,
): Promise<Exchanged> {
  const address = formatAddress(server);
  const support = asking.edns?.isBroken(address) ? undefined : asking.edns;
  const wasSilent = silent.delete(address);
  const edns = support !== undefined && !wasSilent;
  const plainAfterMs = edns && asking.attempts === 1 ? asking.timeoutMs / 2 : undefined;
  try {
    const exchanged = await askOver(open, question, server, edns, asking, plainAfterMs);
    if (isAnswer(exchanged.reply)) {
      if (exchanged.edns) support?.worked(address);
      else support?.failed(address, exchanged.refusedEdns);
    }
    return exchanged;
  } catch (error) {
    if (edns && isTimeout(error)) silent.add(address);
    throw error;
  }
}

/** One exchange; over TCP a second without EDNS if the server ends the first without an answer. */
async function askOver(
  open: OpenChannel,
  question: Question,
  server: Address,
  edns: boolean,
  { clock, timeoutMs, signal, randomId }: Asking,
  plainAfterMs?: number,
): Promise<Exchanged> {
  const options = { open, server, limits: { clock, timeoutMs, signal }, randomId };
  try {
    return await exchange(question, { ...options, edns, ...(plainAfterMs && { plainAfterMs }) });
  } catch (error) {
    const ended = open === openTcp && GatewayError.from(error, "").code === "reset";
    if (!ended || !edns || signal?.aborted) throw error;
    return exchange(question, { ...options, edns: false });
  }
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
