import {
  type Address,
  type Clock,
  formatAddress,
  GatewayError,
  type Limits,
  withTimeout,
} from "@gw/interface";
import {
  decodeReply,
  encodeQuery,
  hasReplyHeader,
  type Query,
  type Question,
  type Reply,
  rcodes,
} from "./message.js";
import type { EdnsSupport, SilentServers } from "./server-memory.js";
import { type Channel, type OpenChannel, openTcp, openUdp } from "./transport.js";

/** How servers are queried. */
export interface QueryOptions {
  /** In the order in which they are queried. */
  readonly servers: readonly Address[];
  /** For one answer over one transport, in milliseconds. */
  readonly timeoutMs: number;
  /** How often each server is queried. */
  readonly attempts: number;
  readonly clock: Clock;
  /** An unpredictable number of 0 to 65535. */
  readonly randomId: () => number;
  /** How servers handle EDNS; undefined if EDNS is not to be used. */
  readonly edns: EdnsSupport | undefined;
  /** Which servers did not answer for other names. @default none, and none is remembered */
  readonly silentServers?: SilentServers | undefined;
  /** Whether to use TCP only. @default false */
  readonly useVc?: boolean | undefined;
  /** Whether to look up no IPv6 addresses. @default false */
  readonly noAaaa?: boolean | undefined;
  /** Whether to look up IPv4 and IPv6 addresses one after the other. @default false */
  readonly singleRequest?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Queries one server over UDP, and again over TCP if its answer is truncated. EDNS is used where the server is likely to
 * support it; whether it does is remembered.
 *
 * @param silent servers that did not answer their last query with EDNS; this one is queried without it, and removed
 * @throws {GatewayError} why there is no answer that can be used
 */
export async function queryServer(
  question: Question,
  server: Address,
  silent: Set<string>,
  options: QueryOptions,
): Promise<Reply> {
  const open = options.useVc ? openTcp : openUdp;
  const first = await queryWithFallback(question, server, open, silent, options);
  let { reply } = first;
  // The records in a truncated answer are not used: the rest would seem to be removed.
  if (reply.truncated && open === openUdp)
    try {
      ({ reply } = await queryOver(openTcp, question, server, first.edns, options));
    } catch (error) {
      throw withPrefix("sent a truncated answer, and over TCP", error);
    }
  if (reply.truncated) throw new GatewayError("name-not-resolved", "sent a truncated answer over TCP");
  if (!isAnswer(reply)) throw new GatewayError("name-not-resolved", `answered ${rcodeName(reply.rcode)}`);
  if (isLame(reply)) throw new GatewayError("name-not-resolved", "has no answer and does not recurse");
  return reply;
}

/** `error` with `prefix` in front of its detail. */
export function withPrefix(prefix: string, error: unknown): GatewayError {
  if (!(error instanceof GatewayError)) return GatewayError.from(error, prefix);
  return new GatewayError(error.code, `${prefix}: ${error.detail}`, { cause: error });
}

export function isTimeout(error: unknown): boolean {
  return error instanceof GatewayError && error.code === "timed-out";
}

/**
 * Uses EDNS where it is likely to be supported, and remembers whether it was. With a single attempt, a server that is
 * silent gets a query without EDNS after half the time.
 */
async function queryWithFallback(
  question: Question,
  server: Address,
  open: OpenChannel,
  silent: Set<string>,
  options: QueryOptions,
): Promise<Exchanged> {
  const address = formatAddress(server);
  const support = options.edns?.isBroken(address) ? undefined : options.edns;
  const wasSilent = silent.delete(address);
  const edns = support !== undefined && !wasSilent;
  const plainAfterMs = edns && options.attempts === 1 ? options.timeoutMs / 2 : undefined;
  try {
    const exchanged = await queryOver(open, question, server, edns, options, plainAfterMs);
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

/** One exchange; over TCP a second one without EDNS if the server closes the first connection without an answer. */
async function queryOver(
  open: OpenChannel,
  question: Question,
  server: Address,
  edns: boolean,
  { clock, timeoutMs, signal, randomId }: QueryOptions,
  plainAfterMs?: number,
): Promise<Exchanged> {
  const options = { open, server, limits: { clock, timeoutMs, signal }, randomId };
  try {
    return await exchange(question, { ...options, edns, ...(plainAfterMs && { plainAfterMs }) });
  } catch (error) {
    const closed = open === openTcp && GatewayError.from(error, "").code === "reset";
    if (!closed || !edns || signal?.aborted) throw error;
    return exchange(question, { ...options, edns: false });
  }
}

interface ExchangeOptions {
  readonly open: OpenChannel;
  readonly server: Address;
  readonly limits: Limits;
  readonly randomId: () => number;
  /** Whether to use EDNS first, and none if the server does not support it. */
  readonly edns: boolean;
  /** How long to wait for an answer before a query without EDNS is sent as well, in milliseconds. @default forever */
  readonly plainAfterMs?: number;
}

interface Exchanged {
  readonly reply: Reply;
  /** Whether the query that was answered had EDNS. */
  readonly edns: boolean;
  /** Whether the server has answered that it does not support EDNS. */
  readonly refusedEdns: boolean;
}

/**
 * Queries one server over one channel. If a query with EDNS is answered with an error or a malformed message, one without
 * EDNS is sent as well, and the first answer counts; without any, the error. Messages that answer none of the queries are
 * ignored, and the wait goes on.
 *
 * Rejects with what broke the channel; see {@link withTimeout} for the rest.
 */
async function exchange(question: Question, options: ExchangeOptions): Promise<Exchanged> {
  const { limits, edns, plainAfterMs } = options;
  let refusedEdns = false;
  let errorReply: Reply | undefined;
  try {
    const { reply, query } = await withTimeout<Answered>(limits, (resolve, reject) => {
      const queries: Query[] = [];
      const send = (withEdns: boolean): void => {
        const id = options.randomId();
        const taken = queries.some(query => query.id === id);
        const query = { ...question, id: taken ? id ^ 1 : id, edns: withEdns };
        queries.push(query);
        channel.send(encodeQuery(query));
      };
      const sendPlain = (): void => {
        if (queries.every(query => query.edns)) send(false);
      };
      const onMessage = (message: Buffer): void => {
        const [answered] = repliesTo(queries, message);
        if (answered && (!answered.query.edns || isAnswer(answered.reply))) resolve(answered);
        else if (answered) {
          errorReply = answered.reply;
          refusedEdns ||= refusesEdns(answered.reply);
          sendPlain();
        } else if (queries.some(query => query.edns && hasReplyHeader(message, query))) sendPlain();
      };
      const channel: Channel = options.open(options.server, { onMessage, onFailure: reject });
      send(edns);
      const cancel = plainAfterMs === undefined ? undefined : limits.clock.after(plainAfterMs, sendPlain);
      return () => {
        cancel?.();
        channel.close();
      };
    });
    return { reply, edns: query.edns, refusedEdns };
  } catch (error) {
    if (!errorReply || limits.signal?.aborted) throw error;
    return { reply: errorReply, edns: true, refusedEdns };
  }
}

interface Answered {
  readonly query: Query;
  readonly reply: Reply;
}

function repliesTo(queries: readonly Query[], message: Buffer): readonly Answered[] {
  return queries.flatMap(query => {
    const reply = decodeReply(message, query);
    return reply ? [{ query, reply }] : [];
  });
}

/** Whether the name was looked up: it exists, or does not. */
function isAnswer({ rcode }: Reply): boolean {
  return rcode === rcodes.noError || rcode === rcodes.nxDomain;
}

function refusesEdns({ rcode }: Reply): boolean {
  return rcode === rcodes.formErr || rcode === rcodes.notImp || rcode === rcodes.badVers;
}

/** Whether it comes from a lame server: not authoritative, not recursive, and without an answer. */
function isLame({ rcode, authoritative, recursionAvailable, answers, authorities }: Reply): boolean {
  const hasAnswer = answers.length > 0 || authorities.some(({ type }) => type === "SOA");
  return rcode === rcodes.noError && !hasAnswer && !authoritative && !recursionAvailable;
}

const rcodeNames: { readonly [rcode: number]: string } = {
  1: "FORMERR",
  2: "SERVFAIL",
  4: "NOTIMP",
  5: "REFUSED",
  9: "NOTAUTH",
  16: "BADVERS",
};

function rcodeName(rcode: number): string {
  return rcodeNames[rcode] ?? `RCODE ${rcode}`;
}
