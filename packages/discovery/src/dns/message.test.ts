import { type DecodedPacket, decode } from "dns-packet";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { a, aaaa, cname, replyTo, soa, srv, truncated } from "../../test/fake-dns.js";
import { decodeReply, encodeQuery, type Query } from "./message.js";

const query: Query = { id: 0x1234, name: "infra0.example.com.", type: "A", edns: true };
const sent: DecodedPacket = decode(encodeQuery(query));

describe("a query", () => {
  test("requests recursion, and answers that fit into one packet everywhere", () => {
    expect(sent).toMatchObject({ id: 0x1234, type: "query", flag_rd: true });
    expect(sent.questions).toEqual([{ name: "infra0.example.com", type: "A", class: "IN" }]);
    expect(sent.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1_232, flag_do: false }]);
    expect(decode(encodeQuery({ ...query, edns: false })).additionals).toEqual([]);
  });
});

describe("a reply", () => {
  test("is decoded with absolute names in lower case and TTLs in milliseconds", () => {
    const packet = replyTo(sent, {
      name: "INFRA0.example.COM",
      answers: [cname("Infra0.Example.com", "X.example.com", 5), a("x.EXAMPLE.com", "10.0.0.1")],
      authorities: [soa("example.com", 7)],
      additionals: [aaaa("x.example.com", "fd00::1"), srv("y", ".")],
    });
    expect(decodeReply(packet, query)).toEqual({
      rcode: 0,
      truncated: false,
      authoritative: false,
      recursionAvailable: true,
      answers: [
        { type: "CNAME", name: "infra0.example.com.", ttlMs: 5_000, target: "x.example.com." },
        { type: "A", name: "x.example.com.", ttlMs: 60_000, address: "10.0.0.1" },
      ],
      authorities: [{ type: "SOA", name: "example.com.", ttlMs: 60_000, negativeTtlMs: 7_000 }],
      additionals: [
        { type: "AAAA", name: "x.example.com.", ttlMs: 60_000, address: "fd00::1" },
        { type: "SRV", name: "y.", ttlMs: 60_000, priority: 1, weight: 2, port: 2379, target: "." },
      ],
    });
  });

  test("with the top bit of a TTL set has a TTL of 0", () => {
    const answers = [a("infra0.example.com", "10.0.0.1", 0x8000_0000), a("x", "10.0.0.1", 0x7fff_ffff)];
    const reply = decodeReply(replyTo(sent, { answers }), query);
    expect(reply?.answers.map(({ ttlMs }) => ttlMs)).toEqual([0, 0x7fff_ffff * 1_000]);
  });

  test.each([
    ["with another id", replyTo(sent, { id: 0x1235 })],
    ["to another name", replyTo(sent, { name: "infra1.example.com" })],
    ["to another type", replyTo(sent, { type: "AAAA" })],
    ["to no question", replyTo(sent, { questions: [] })],
    [
      "to two questions",
      replyTo(sent, { questions: [...(sent.questions ?? []), ...(sent.questions ?? [])] }),
    ],
    ["to another class", replyTo(sent, { questions: [{ name: query.name, type: "A", class: "CH" }] })],
    ["that is a query", encodeQuery(query)],
    ["of another opcode", replyTo(sent, { flags: 0x2000 })],
    ["without a header", replyTo(sent).subarray(0, 11)],
    ["without an end", replyTo(sent, { answers: [a("infra0.example.com", "10.0.0.1")] }).subarray(0, -2)],
    ["that claims 65,535 records", Buffer.from(replyTo(sent)).fill(0xff, 6, 8)],
  ])("%s is rejected", (_, packet) => {
    expect(decodeReply(packet, query)).toBeUndefined();
  });

  test("that is truncated may be cut anywhere after its question", () => {
    const packet = replyTo(sent, { flags: truncated, answers: [a("infra0.example.com", "10.0.0.1")] });
    const least = replyTo(sent).length;
    for (let length = least; length <= packet.length; length++)
      expect(decodeReply(packet.subarray(0, length), query)).toMatchObject({ truncated: true, answers: [] });
    expect(decodeReply(packet.subarray(0, least - 1), query)).toBeUndefined();
  });

  test("with compression pointers to themselves, to each other or forwards is rejected", () => {
    for (const pointer of [0, 2, 4]) {
      const packet = Buffer.concat([replyTo(sent), Buffer.alloc(16)]);
      const end = packet.length - 16;
      packet.writeUInt16BE(1, 6);
      packet.writeUInt16BE(0xc000 + end + pointer, end);
      packet.writeUInt16BE(0xc000 + end, end + 2);
      expect(decodeReply(packet, query)).toBeUndefined();
    }
  });

  test("with long chains of pointers in each record, expensive to decode, is rejected", () => {
    const question = replyTo(sent);
    const packet = Buffer.alloc(65_535);
    question.copy(packet);
    const chain = question.length + 11;
    packet.writeUInt16BE(65_280, question.length + 1);
    packet.writeUInt16BE(1, question.length + 3);
    packet.writeUInt16BE(16_000, question.length + 9);
    for (let offset = chain; offset < chain + 16_000; offset += 2)
      packet.writeUInt16BE(0xc000 + (offset === chain ? 12 : offset - 2), offset);
    let records = 1;
    for (
      let offset = chain + 16_000;
      offset + 12 <= packet.length && records < 4_000;
      offset += 12, records++
    ) {
      packet.writeUInt16BE(0xc000 + chain + 15_998, offset);
      packet.writeUInt16BE(65_280, offset + 2);
    }
    packet.writeUInt16BE(records, 6);
    expect(decodeReply(packet, query)).toBeUndefined();
  });

  test("to a query with EDNS may come without the question from a server without EDNS support", () => {
    for (const flags of [1, 4])
      expect(decodeReply(replyTo(sent, { flags, questions: [] }), query)).toMatchObject({ rcode: flags });
    expect(decodeReply(replyTo(sent, { flags: 3, questions: [] }), query)).toBeUndefined();
  });
});

describe("any packet", () => {
  const bytes = fc.uint8Array({ maxLength: 600 });

  test("is decoded or rejected without an exception", () => {
    const header = fc.constant(replyTo(sent).subarray(0, 4));
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          fc.tuple(header, bytes).map(parts => Buffer.concat(parts)),
        ),
        packet => {
          decodeReply(Buffer.from(packet), query);
        },
      ),
      { seed: 1, numRuns: 5_000 },
    );
  });

  test("has only valid addresses, whatever was changed in a valid reply", () => {
    const good = replyTo(sent, {
      answers: [cname("infra0.example.com", "x.example.com"), a("x.example.com", "10.0.0.1"), srv("s", "t")],
      authorities: [soa("example.com", 7)],
      additionals: [
        aaaa("x.example.com", "fd00::1"),
        { name: "t", type: "TXT", data: "text" },
        { name: "n", type: "NSEC", data: { nextDomain: "o", rrtypes: ["A", "SRV"] } },
      ],
    });
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(damage, fc.nat(good.length), fc.boolean(), (changes, length, cut) => {
        const packet = Buffer.from(good);
        for (const [offset, value] of changes) if (offset > 3) packet[offset] = value;
        const reply = decodeReply(cut ? packet.subarray(0, length) : packet, query);
        for (const record of reply?.answers ?? [])
          if ("address" in record) expect(record.address).toMatch(/^[0-9a-f:.]+$/);
      }),
      { seed: 2, numRuns: 10_000 },
    );
  });
});
