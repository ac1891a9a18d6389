import { isIP } from "node:net";
import { decode } from "dns-packet";
import fc from "fast-check";
import { expect, test } from "vitest";
import { a, aaaa, cname, replyTo, soa, srv } from "../../test/fake-dns.js";
import { decodeReply, encodeQuery, type Query, type Reply, type ResourceRecord } from "./message.js";

const queries: readonly Query[] = (["A", "AAAA", "SRV"] as const).map(type => ({
  id: 0x1234,
  name: "a.b.",
  type,
  edns: true,
}));
const question = "0161016200";

/** After the id: flags, counts, the question for A, then `rest`. */
const packet = (header: string, records: string): string => `1234${header}${question}00010001${records}`;

/** Packets that some DNS parser has failed on. */
const corpus: readonly (readonly [what: string, hex: string])[] = [
  ["nothing", ""],
  ["a header alone", "123481800000000000000000"],
  ["a refusal in a header alone", "123481810000000000000000"],
  ["a question that is not there", "123481800001000000000000"],
  ["a pointer to itself", packet("81800001000100000000", "c0130001000100000001000400000000")],
  ["a pointer forwards", packet("81800001000100000000", "c0200001000100000001000400000000")],
  ["pointers to each other", packet("81800001000100000000", "c015c0130001000100000001000400000000")],
  ["a pointer into the header", packet("81800001000100000000", "c0000001000100000001000401020304")],
  ["a pointer cut in half", packet("81800001000100000000", "c0")],
  ["a label longer than the packet", packet("81800001000100000000", "3f61")],
  ["a label of a reserved kind", packet("81800001000100000000", "8061000001000100000001000401020304")],
  ["an A record of no bytes", packet("81800001000100000000", "c00c00010001000000010000")],
  ["an A record of three bytes", packet("81800001000100000000", "c00c00010001000000010003010203")],
  [
    "an A record of sixteen bytes",
    packet("81800001000100000000", `c00c00010001000000010010${"01".repeat(16)}`),
  ],
  [
    "an A record that claims more than there is",
    packet("81800001000100000000", "c00c0001000100000001ffff01020304"),
  ],
  ["an AAAA record of four bytes", packet("81800001000100000000", "c00c001c0001000000010004fd000001")],
  [
    "an SRV record without its target",
    packet("81800001000100000000", "c00c00210001000000010006000100020947"),
  ],
  [
    "an SRV record whose target leaves the record",
    packet("81800001000100000000", "c00c002100010000000100080001000209470161"),
  ],
  ["an alias that is empty", packet("81800001000100000000", "c00c00050001000000010000")],
  [
    "an SOA record cut in its numbers",
    packet("81800001000000010000", "c00c000600010000000100080000000000010000"),
  ],
  [
    "an OPT record with options that claim too much",
    packet("81800001000000000001", "00002904d000000000000400030fff"),
  ],
  ["an OPT record cut in the middle", packet("81800001000000000001", "00002904d000")],
  ["an OPT record among the answers", packet("81800001000100000000", "00002904d000000000000000")],
  ["two OPT records", packet("81800001000000000002", "00002904d00100000000000000002904d0020000000000")],
  [
    "a client subnet option of an unknown family",
    packet("81800001000000000001", "00002904d0000000000008000800040009ffff"),
  ],
  ["a TXT record with strings that leave it", packet("81800001000100000000", "c00c001000010000000100020561")],
  [
    "an NSEC record with a bitmap of no length",
    packet("81800001000100000000", "c00c002f0001000000010003000000"),
  ],
  [
    "a label with a dot and with bytes that are not ASCII",
    packet("81800001000100000000", "022eff000001000100000001000401020304"),
  ],
  ["65,535 records of each kind", packet("81800001ffffffffffff", "")],
  [
    "the greatest TTL and the top bit",
    packet("81800001000200000000", `c00c000100017fffffff000401020304${"c00c0001000180000000000401020304"}`),
  ],
];

/** A decoded packet can be used without further checks. */
function check(reply: Reply): void {
  expect(reply.rcode).toBeGreaterThanOrEqual(0);
  expect(reply.rcode).toBeLessThanOrEqual(4_095);
  const records = [...reply.answers, ...reply.authorities, ...reply.additionals];
  expect(records.length).toBeLessThanOrEqual(4_096);
  if (reply.truncated) expect(records).toEqual([]);
  for (const record of records) checkRecord(record);
}

function checkRecord(record: ResourceRecord): void {
  checkName(record.name);
  expect(record.ttlMs).toBeGreaterThanOrEqual(0);
  expect(record.ttlMs).toBeLessThanOrEqual(0x7fff_ffff * 1_000);
  switch (record.type) {
    case "A":
    case "AAAA":
      expect(isIP(record.address)).toBe(record.type === "A" ? 4 : 6);
      break;
    case "CNAME":
      checkName(record.target);
      break;
    case "SRV":
      checkName(record.target);
      for (const number of [record.priority, record.weight, record.port]) {
        expect(Number.isInteger(number)).toBe(true);
        expect(number).toBeGreaterThanOrEqual(0);
        expect(number).toBeLessThanOrEqual(65_535);
      }
      break;
    case "SOA":
      expect(record.negativeTtlMs).toBeGreaterThanOrEqual(0);
      expect(record.negativeTtlMs).toBeLessThanOrEqual(record.ttlMs);
  }
}

function checkName(name: string): void {
  expect(name.endsWith(".")).toBe(true);
  expect(name.length).toBeLessThanOrEqual(256);
  expect(name).not.toMatch(/[A-Z]/);
}

function read(bytes: Uint8Array): void {
  for (const query of queries) {
    const reply = decodeReply(Buffer.from(bytes), query);
    if (reply) check(reply);
  }
}

test.each(corpus)("%s is read or not, without harm", (_, hex) => {
  read(Buffer.from(hex, "hex"));
});

/** Names, some of them broken. */
const wireName = fc.oneof(
  fc.constantFrom("00", "c00c", "c000", "c013", "c0ff", "c01f", "ffff", "0161c00c", question),
  fc.uint8Array({ maxLength: 12 }).map(bytes => Buffer.from(bytes).toString("hex")),
);
const hex16 = fc.integer({ min: 0, max: 0xffff }).map(value => value.toString(16).padStart(4, "0"));
const small16 = fc.nat(24).map(value => value.toString(16).padStart(4, "0"));
const type = fc.oneof(
  fc.constantFrom(
    "0001",
    "0002",
    "0005",
    "0006",
    "000c",
    "000f",
    "0010",
    "001c",
    "0021",
    "0029",
    "002e",
    "002f",
  ),
  hex16,
);
const record = fc
  .tuple(
    wireName,
    type,
    fc.oneof(fc.constant("0001"), hex16),
    fc.constantFrom("00000001", "7fffffff", "80000000", "ffffffff"),
    fc.option(fc.oneof(small16, hex16)),
    fc.oneof(
      wireName,
      fc.uint8Array({ maxLength: 24 }).map(bytes => Buffer.from(bytes).toString("hex")),
    ),
  )
  .map(([name, kind, dnsClass, ttl, length, data]) => {
    const right = (data.length / 2).toString(16).padStart(4, "0");
    return `${name}${kind}${dnsClass}${ttl}${length ?? right}${data}`;
  });
const built = fc
  .tuple(
    fc.constantFrom("8180", "8580", "8183", "8380", "8000", "0100"),
    fc.tuple(small16, small16, small16),
    fc.array(record, { maxLength: 6 }),
    fc.boolean(),
  )
  .map(([flags, counts, records, honest]) => {
    const answers = records.length.toString(16).padStart(4, "0");
    const header = `${flags}0001${honest ? `${answers}00000000` : counts.join("")}`;
    return new Uint8Array(Buffer.from(packet(header, records.join("")), "hex"));
  });
const [query] = queries as [Query];
const good = replyTo(decode(encodeQuery(query)), {
  answers: [cname("a.b", "x.b"), a("x.b", "10.0.0.1"), srv("x.b", "t.b")],
  authorities: [soa("b", 7)],
  additionals: [
    aaaa("t.b", "fd00::1"),
    { name: "t", type: "NSEC", data: { nextDomain: "o", rrtypes: ["A"] } },
  ],
});
const damaged = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 2, max: good.length - 1 }), fc.nat(255)), { maxLength: 8 }),
    fc.nat(good.length),
  )
  .map(([changes, cut]) => {
    const bytes = Uint8Array.from(good);
    for (const [offset, value] of changes) bytes[offset] = value;
    return bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut : 0));
  });

test("any packet is decoded or rejected, and decoded values are within their limits", () => {
  fc.assert(fc.property(fc.oneof(built, damaged), read), {
    examples: corpus.map(([, hex]): [Uint8Array<ArrayBuffer>] => [new Uint8Array(Buffer.from(hex, "hex"))]),
    numRuns: 8_000,
    interruptAfterTimeLimit: 3_000,
  });
});
