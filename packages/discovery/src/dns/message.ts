import { type Answer, decode, encode, RECURSION_DESIRED } from "dns-packet";
import { nameFromWire } from "./name.js";

/** An absolute name and a type, in class IN. */
export interface Question {
  readonly name: string;
  readonly type: "A" | "AAAA" | "SRV";
}

/** A question that is sent to a server. */
export interface Query extends Question {
  /** An unpredictable number of 0 to 65535. */
  readonly id: number;
  /** Whether the query carries EDNS(0) (RFC 6891) and so accepts answers larger than 512 bytes over UDP. */
  readonly edns: boolean;
}

/** The records that a look-up uses. Names are absolute and lower case. */
export type ResourceRecord = { readonly name: string; readonly ttlMs: number } & (
  | { readonly type: "A" | "AAAA"; readonly address: string }
  | { readonly type: "CNAME"; readonly target: string }
  | {
      readonly type: "SRV";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: "SOA"; readonly negativeTtlMs: number }
);

/** What a look-up uses of a server's reply. */
export interface Reply {
  /** 0 to 4095, with the upper bits from EDNS. */
  readonly rcode: number;
  /** The reply did not fit into a packet; its records are dropped. */
  readonly truncated: boolean;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** Fits into one packet on every link (DNS flag day 2020). */
const udpPayloadSize = 1_232;
/** A reply that claims to have more records is ignored. */
const maxRecords = 4_096;
/** Long chains of compression pointers have no use, and make names expensive to read. */
const maxPointerDepth = 16;
const headerBytes = 12;

export const rcodes = { noError: 0, formErr: 1, nxDomain: 3, notImp: 4, badVers: 16 } as const;

/** The packet of a query. */
export function encodeQuery({ id, name, type, edns }: Query): Buffer {
  const opt = { type: "OPT", name: ".", udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0 } as const;
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type }],
    additionals: edns ? [{ ...opt, flag_do: false, options: [] }] : [],
  });
}

/**
 * Reads a reply to `query`. Undefined if the packet is not a well-formed reply to it: it has another id or another
 * question, is no reply, or is malformed. Never throws.
 */
export function decodeReply(packet: Buffer, query: Query): Reply | undefined {
  if (!hasReplyHeader(packet, query) || recordsIn(packet) > maxRecords) return undefined;
  if (pointerDepth(packet) > maxPointerDepth) return undefined;
  const flags = packet.readUInt16BE(2);
  const truncated = (flags & 0x0200) !== 0;
  try {
    const message = decode(truncated ? withoutRecords(packet) : packet);
    // dns-packet reads addresses beyond the end of a packet.
    if (decode.bytes > packet.length) return undefined;
    const { questions = [], answers = [], authorities = [], additionals = [] } = message;
    const opt = additionals.find(one => one.type === "OPT");
    const rcode = (flags & 0xf) | ((opt?.extendedRcode ?? 0) << 4);
    const [question] = questions;
    // Servers that do not support EDNS, or do not parse what they refuse, may leave out the question.
    const isReply =
      question === undefined
        ? rcode !== rcodes.noError && rcode !== rcodes.nxDomain
        : questions.length === 1 &&
          nameFromWire(question.name) === query.name &&
          question.type === query.type &&
          question.class === "IN";
    if (!isReply) return undefined;
    return {
      rcode,
      truncated,
      authoritative: (flags & 0x0400) !== 0,
      recursionAvailable: (flags & 0x0080) !== 0,
      answers: answers.flatMap(toRecord),
      authorities: authorities.flatMap(toRecord),
      additionals: additionals.flatMap(toRecord),
    };
  } catch {
    return undefined;
  }
}

/** Whether the header of a packet is that of a reply to `query`; the rest may be malformed. */
export function hasReplyHeader(packet: Buffer, { id }: Query): boolean {
  return (
    packet.length >= headerBytes &&
    packet.readUInt16BE(0) === id &&
    (packet.readUInt16BE(2) & 0xf800) === 0x8000
  );
}

function recordsIn(packet: Buffer): number {
  return [4, 6, 8, 10].reduce((sum, offset) => sum + packet.readUInt16BE(offset), 0);
}

/**
 * The longest chain of compression pointers (RFC 1035 §4.1.4) that anything in the packet could be read as.
 * dns-packet follows such chains to the end for every record, which may take it a second for one packet.
 */
function pointerDepth(packet: Buffer): number {
  const depths = new Uint16Array(Math.min(packet.length, 0x4000));
  let deepest = 0;
  for (let offset = headerBytes; offset + 1 < depths.length; offset++) {
    const pointer = packet.readUInt16BE(offset) - 0xc000;
    if (pointer < 0 || pointer >= offset) continue;
    const depth = (depths[pointer] ?? 0) + 1;
    depths[offset] = depth;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/** The header and the question: a truncated packet may end anywhere after them. */
function withoutRecords(packet: Buffer): Buffer {
  return Buffer.from(packet).fill(0, 6, headerBytes);
}

/** One record; none if no look-up uses its type or class. */
function toRecord(answer: Answer): readonly ResourceRecord[] {
  if (answer.type === "OPT" || !("class" in answer) || answer.class !== "IN") return [];
  const name = nameFromWire(answer.name);
  const ttlMs = milliseconds(answer.ttl ?? 0);
  switch (answer.type) {
    case "A":
    case "AAAA":
      return [{ name, ttlMs, type: answer.type, address: answer.data }];
    case "CNAME":
      return [{ name, ttlMs, type: "CNAME", target: nameFromWire(answer.data) }];
    case "SRV": {
      const { priority = 0, weight = 0, port, target } = answer.data;
      return [{ name, ttlMs, type: "SRV", priority, weight, port, target: nameFromWire(target) }];
    }
    case "SOA":
      // RFC 2308 §5: the lesser of the record's own TTL and its MINIMUM field.
      return [
        { name, ttlMs, type: "SOA", negativeTtlMs: Math.min(ttlMs, milliseconds(answer.data.minimum ?? 0)) },
      ];
    default:
      return [];
  }
}

/** RFC 2181 §8: a TTL with its top bit set is 0. */
function milliseconds(ttl: number): number {
  return ttl > 0x7fff_ffff ? 0 : ttl * 1_000;
}
