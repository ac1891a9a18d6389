import { type Address, type Limits, withTimeout } from "@gw/interface";
import {
  decodeReply,
  encodeQuery,
  hasReplyHeader,
  type Query,
  type Question,
  type Reply,
  rcodes,
} from "./message.js";
import type { Channel, OpenChannel } from "./transport.js";

/** How one server is asked once. */
export interface ExchangeOptions {
  readonly open: OpenChannel;
  readonly server: Address;
  readonly limits: Limits;
  /** A number of 0 to 65535, not to be guessed. */
  readonly randomId: () => number;
  /** Whether to ask with EDNS first, and without when the server makes nothing of that. */
  readonly edns: boolean;
  /** How long a server may be silent before it is asked without EDNS as well, in milliseconds. @default for ever */
  readonly plainAfterMs?: number;
}

/** What a server replied. */
export interface Exchanged {
  readonly reply: Reply;
  /** Whether the query that it replied to carried EDNS. */
  readonly edns: boolean;
  /** Whether it has said that it does not take EDNS. */
  readonly refusedEdns: boolean;
}

/**
 * Asks one server once. To a query with EDNS that is answered with an error, or with what cannot be read, it sends
 * one without beside it, and takes what is answered first; if nothing is, the error. What is no reply to any of the
 * queries is passed over, and the wait goes on.
 *
 * Rejects with what broke the channel; see {@link withTimeout} for the rest.
 */
export async function exchange(question: Question, options: ExchangeOptions): Promise<Exchanged> {
  const { limits, edns, plainAfterMs } = options;
  let refusedEdns = false;
  let refusal: Reply | undefined;
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
          refusal = answered.reply;
          refusedEdns ||= isEdnsRefusal(answered.reply);
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
    if (!refusal || limits.signal?.aborted) throw error;
    return { reply: refusal, edns: true, refusedEdns };
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
export function isAnswer({ rcode }: Reply): boolean {
  return rcode === rcodes.noError || rcode === rcodes.nxDomain;
}

function isEdnsRefusal({ rcode }: Reply): boolean {
  return rcode === rcodes.formErr || rcode === rcodes.notImp || rcode === rcodes.badVers;
}
