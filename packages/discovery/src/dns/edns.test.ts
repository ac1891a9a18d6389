import { manualClock } from "@gw/testing";
import type { Answer } from "dns-packet";
import { describe, expect, test } from "vitest";
import {
  a,
  type FakeDns,
  type Received,
  recursion,
  replyTo,
  srv,
  startFakeDns,
  truncated,
} from "../../test/fake-dns.js";
import type { DnsClient } from "./client.js";
import { createDnsClient } from "./create-client.js";

const name = "_etcd-client._tcp.example.com";
const good = { answers: [srv(name, "infra0.example.com")] };
const fromGood = { records: [{ target: "infra0.example.com." }] };

const opt = (extendedRcode = 0): Answer => ({
  type: "OPT",
  name: ".",
  udpPayloadSize: 512,
  extendedRcode,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
});

/** A server that handles queries with EDNS like this, answers others, and records both. */
async function startOldDns(
  withEdns: (received: Received) => void,
): Promise<FakeDns & { readonly asked: ("edns" | "plain")[] }> {
  const asked: ("edns" | "plain")[] = [];
  const server = await startFakeDns(received => {
    asked.push(received.edns ? "edns" : "plain");
    if (received.edns) withEdns(received);
    else received.reply(good);
  });
  return Object.assign(server, { asked });
}

function clientOf(
  server: FakeDns,
  attempts = 2,
): { client: DnsClient; clock: ReturnType<typeof manualClock> } {
  const clock = manualClock();
  return { client: createDnsClient({ servers: [server.address], clock, attempts }), clock };
}

const cut = ({ query, send }: Received): void => {
  const packet = replyTo(query, { ...good, additionals: [opt()] });
  send(packet.subarray(0, packet.length - 3));
};

describe("a server without EDNS support is queried without, at once and from then on, if it", () => {
  test.each<[answer: string, withEdns: (received: Received) => void]>([
    ["answers FORMERR", ({ reply }) => reply({ flags: 1 })],
    [
      "answers FORMERR with only a header",
      ({ query, send }) => send(replyTo(query, { flags: 1, questions: [] })),
    ],
    ["answers SERVFAIL", ({ reply }) => reply({ flags: 2 | recursion })],
    ["answers SERVFAIL without the question", ({ reply }) => reply({ flags: 2 | recursion, questions: [] })],
    ["answers NOTIMP", ({ reply }) => reply({ flags: 4 })],
    ["answers REFUSED", ({ reply }) => reply({ flags: 5 })],
    ["answers BADVERS", ({ reply }) => reply({ additionals: [opt(1)] })],
    ["sends an answer that ends in the middle of its OPT record", cut],
    [
      "sends an answer that ends in the middle of a record",
      ({ query, send }) => send(replyTo(query, good).subarray(0, 60)),
    ],
    [
      "sends an answer with bytes of its own in place of records",
      ({ query, send }) => {
        const packet = replyTo(query, good);
        send(packet.fill(0xff, replyTo(query).length));
      },
    ],
  ])("%s", async (_, withEdns) => {
    await using server = await startOldDns(withEdns);
    const { client, clock } = clientOf(server);
    expect(await client.srv(name)).toMatchObject(fromGood);
    expect(server.asked).toEqual(["edns", "plain"]);
    expect(await client.srv(name)).toMatchObject(fromGood);
    expect(server.asked).toEqual(["edns", "plain", "plain"]);
    expect(clock.pending).toBe(0);
  });
});

describe("a server that drops queries with EDNS", () => {
  test("is queried without in the second attempt, and from then on", async () => {
    await using server = await startOldDns(() => {});
    const { client, clock } = clientOf(server);
    const answer = client.srv(name);
    await expect.poll(() => server.asked).toEqual(["edns"]);
    await clock.advance(2_000);
    expect(await answer).toMatchObject(fromGood);
    expect(await client.srv(name)).toMatchObject(fromGood);
    expect(server.asked).toEqual(["edns", "plain", "plain"]);
  });

  test("is queried without after half the timeout if there is only one attempt", async () => {
    await using server = await startOldDns(() => {});
    const { client, clock } = clientOf(server, 1);
    const answer = client.srv(name);
    await expect.poll(() => server.asked).toEqual(["edns"]);
    await clock.advance(1_000);
    expect(await answer).toMatchObject(fromGood);
    expect(await client.srv(name)).toMatchObject(fromGood);
    expect(server.asked).toEqual(["edns", "plain", "plain"]);
  });

  test("is remembered separately from other servers", async () => {
    await using other = await startFakeDns(({ reply }) => reply({ flags: 2 }));
    await using server = await startOldDns(() => {});
    const client = createDnsClient({ servers: [other.address, server.address], timeoutMs: 50 });
    for (let count = 0; count < 2; count++) expect(await client.srv(name)).toMatchObject(fromGood);
    expect(server.asked).toEqual(["edns", "plain", "plain"]);
  });
});

test("EDNS support is forgotten after ten minutes", async () => {
  await using server = await startOldDns(({ reply }) => reply({ flags: 1 }));
  const { client, clock } = clientOf(server);
  await client.srv(name);
  await clock.advance(599_999);
  await client.srv(name);
  expect(server.asked).toEqual(["edns", "plain", "plain"]);
  await clock.advance(1);
  await client.srv(name);
  expect(server.asked.slice(3)).toEqual(["edns", "plain"]);
});

test("one lost packet or error does not count against a server that has supported EDNS before; two in a row do", async () => {
  let fails = false;
  await using server = await startOldDns(({ reply }) => reply(fails ? { flags: 2 } : good));
  const { client } = clientOf(server);
  await client.srv(name);
  fails = true;
  await client.srv(name);
  fails = false;
  await client.srv(name);
  expect(server.asked.splice(0)).toEqual(["edns", "edns", "plain", "edns"]);
  fails = true;
  await client.srv(name);
  await client.srv(name);
  await client.srv(name);
  expect(server.asked).toEqual(["edns", "plain", "edns", "plain", "plain"]);
});

test("an error that also occurs without EDNS does not count against EDNS, and is reported", async () => {
  const asked: boolean[] = [];
  await using server = await startFakeDns(({ edns, reply }) => {
    asked.push(edns);
    reply({ flags: 2 | recursion });
  });
  const { client } = clientOf(server, 1);
  for (let count = 0; count < 2; count++) await expect(client.srv(name)).rejects.toThrow("answered SERVFAIL");
  expect(asked).toEqual([true, false, true, false]);
});

test("if only the query with EDNS is answered, with an error, that error is reported", async () => {
  await using server = await startFakeDns(({ edns, reply }) => edns && reply({ flags: 5 | recursion }));
  const { client, clock } = clientOf(server, 1);
  const failure = expect(client.srv(name)).rejects.toMatchObject({
    code: "name-not-resolved",
    detail: expect.stringContaining("answered REFUSED"),
  });
  await expect.poll(() => server.received).toBe(2);
  await clock.advance(2_000);
  await failure;
});

test("a malformed answer does not end the wait for a valid one", async () => {
  await using server = await startFakeDns(received => {
    if (!received.edns) return;
    cut(received);
    received.reply(good);
  });
  expect(await clientOf(server, 1).client.srv(name)).toMatchObject(fromGood);
});

test("a truncated answer without EDNS is followed by a query over TCP without EDNS", async () => {
  const overTcp: boolean[] = [];
  await using server = await startFakeDns(({ edns, socket, reply }) => {
    if (socket) overTcp.push(edns);
    if (edns) reply({ flags: 1 });
    else reply(socket ? good : { flags: truncated });
  });
  expect(await clientOf(server).client.srv(name)).toMatchObject(fromGood);
  expect(overTcp).toEqual([false]);
});

test("a family that is looked up while the other detects missing EDNS support is queried without as well", async () => {
  await using server = await startFakeDns(({ edns, name, type, reply }) => {
    if (!edns) reply({ answers: type === "A" ? [a(name, "10.0.0.1")] : [] });
  });
  const client = createDnsClient({ servers: [server.address], timeoutMs: 50 });
  expect((await client.addresses("infra0.example.com.")).addresses).toEqual(["10.0.0.1"]);
});
