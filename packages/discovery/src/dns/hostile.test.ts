import { createSocket } from "node:dgram";
import { getEventListeners, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { manualClock } from "@gw/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  a,
  cname,
  type FakeDns,
  type Received,
  recursion,
  replyTo,
  soa,
  srv,
  startFakeDns,
  truncated,
  withLength,
} from "../../test/fake-dns.js";
import type { DnsClient } from "./client.js";
import { createDnsClient } from "./create-client.js";

const name = "_etcd-client._tcp.example.com";
const good = { answers: [srv(name, "infra0.example.com")] };
const bad = { answers: [srv(name, "evil.example.com")] };
const fromGood = { records: [{ target: "infra0.example.com." }] };

function clientOf(servers: readonly FakeDns[], clock = manualClock(), attempts = 2): DnsClient {
  return createDnsClient({ servers: servers.map(({ address }) => address), clock, attempts });
}

/** A server with one behaviour, and the result of a client. */
async function ask(behaviour: (received: Received) => void, asked = name): Promise<unknown> {
  await using server = await startFakeDns(behaviour);
  const clock = manualClock();
  try {
    return await clientOf([server], clock).srv(asked);
  } finally {
    expect(clock.pending).toBe(0);
  }
}

describe("datagrams", () => {
  test("that are no answer to the query are ignored", async () => {
    const answer = await ask(({ query, send, reply }) => {
      reply({ ...bad, id: (query.id ?? 0) ^ 1 });
      reply({ ...bad, name: "_etcd-client._tcp.example.org" });
      reply({ ...bad, type: "A" });
      reply({ ...bad, flags: 0x0800 });
      send(Buffer.alloc(0));
      send(Buffer.from("garbage"));
      send(replyTo(query, bad).subarray(0, -1));
      reply(good);
    });
    expect(answer).toMatchObject(fromGood);
  });

  test("from another source are dropped", async () => {
    await using server = await startFakeDns();
    const answer = clientOf([server]).srv(name);
    const received = await server.next();
    const forger = createSocket("udp4");
    // Over loopback, a datagram has arrived or was dropped when the call returns.
    const forged = replyTo(received.query, bad);
    await new Promise(resolve => forger.send(forged, received.port, "127.0.0.1", resolve));
    received.reply(good);
    expect(await answer).toMatchObject(fromGood);
    forger.close();
  });

  test("that are late are ignored: the next query has its own id and port", async () => {
    const clock = manualClock();
    await using server = await startFakeDns();
    const answer = clientOf([server], clock).srv(name);
    const first = await server.next();
    await clock.advance(2_000);
    const second = await server.next();
    expect([second.port, second.query.id]).not.toEqual([first.port, first.query.id]);
    first.reply(bad);
    second.reply(good);
    expect(await answer).toMatchObject(fromGood);
  });
});

describe("a server that is silent", () => {
  test("is skipped after the timeout, and the next is queried; then all again", async () => {
    const clock = manualClock();
    await using silent = await startFakeDns();
    await using other = await startFakeDns();
    const answer = clientOf([silent, other], clock).srv(name);
    await silent.next();
    await clock.advance(2_000);
    await other.next();
    await clock.advance(2_000);
    await silent.next();
    await clock.advance(2_000);
    (await other.next()).reply(good);
    expect(await answer).toMatchObject(fromGood);
    expect(clock.pending).toBe(0);
  });

  test("leads to timed-out if all are", async () => {
    const clock = manualClock();
    await using server = await startFakeDns();
    const failure = expect(clientOf([server], clock, 1).srv(name)).rejects.toMatchObject({
      code: "timed-out",
      detail: `look up SRV records of ${name}.: 127.0.0.1:${server.address.port}: no answer within 2000 ms`,
    });
    await server.next();
    await clock.advance(2_000);
    await failure;
  });
});

describe("a server without EDNS support", () => {
  test.each([
    ["FORMERR", { flags: 1 }],
    ["FORMERR without the question", { flags: 1, questions: [] }],
    ["NOTIMP", { flags: 4 }],
  ])("that answers %s is queried without", async (_, refusal) => {
    expect(await ask(({ edns, reply }) => reply(edns ? refusal : good))).toMatchObject(fromGood);
  });

  test("that answers BADVERS is queried without", async () => {
    const answer = await ask(({ edns, reply }) =>
      reply(
        edns
          ? {
              additionals: [
                {
                  type: "OPT",
                  name: ".",
                  udpPayloadSize: 512,
                  extendedRcode: 1,
                  ednsVersion: 1,
                  flags: 0,
                  flag_do: false,
                  options: [],
                },
              ],
            }
          : good,
      ),
    );
    expect(answer).toMatchObject(fromGood);
  });
});

describe("an answer over TCP", () => {
  /** The result of a client of a server that truncates over UDP and does this over TCP. */
  const askOverTcp = (behaviour: (received: Received) => void): Promise<unknown> =>
    ask(received => (received.socket ? behaviour(received) : received.reply({ flags: truncated, ...bad })));

  test("is read in pieces, after messages that are malformed", async () => {
    const answer = await askOverTcp(({ query, socket }) => {
      const other = replyTo(query, { ...bad, id: (query.id ?? 0) ^ 1 });
      const messages = [Buffer.alloc(0), Buffer.from("x"), other, replyTo(query, good)];
      for (const byte of Buffer.concat(messages.map(withLength))) socket?.write(Buffer.from([byte]));
    });
    expect(answer).toMatchObject(fromGood);
  });

  test.each([
    ["is cut off", (one: Received) => one.socket?.end(withLength(replyTo(one.query, good)).subarray(0, -1))],
    ["does not come", (one: Received) => one.socket?.end()],
    ["is reset", (one: Received) => one.socket?.resetAndDestroy()],
    ["is truncated too", (one: Received) => one.reply({ ...bad, flags: truncated })],
  ])("that %s is ignored", async (_, behaviour) => {
    await expect(askOverTcp(behaviour)).rejects.toMatchObject({ code: "name-not-resolved" });
  });

  test("that is incomplete fails after the timeout", async () => {
    const clock = manualClock();
    await using server = await startFakeDns();
    const failure = expect(clientOf([server], clock, 1).srv(name)).rejects.toMatchObject({
      code: "timed-out",
    });
    (await server.next()).reply({ flags: truncated });
    const { query, socket } = await server.next();
    socket?.write(withLength(replyTo(query, good)).subarray(0, 20));
    await clock.advance(2_000);
    await failure;
    expect(clock.pending).toBe(0);
  });
});

const loopback6 = Object.values(networkInterfaces()).some(list =>
  list?.some(({ address }) => address === "::1"),
);

test.skipIf(!loopback6)("a server with an IPv6 address is asked over UDP and TCP", async () => {
  const behaviour = ({ socket, reply }: Received): void => reply(socket ? good : { flags: truncated });
  await using server = await startFakeDns(behaviour, "::1");
  expect(await clientOf([server]).srv(name)).toMatchObject({
    ...fromGood,
    server: `[::1]:${server.address.port}`,
  });
});

describe("a lame server", () => {
  test.each([
    ["SERVFAIL", { flags: 2 | recursion }],
    ["a referral", { flags: 0, authorities: [{ type: "NS", name: "com", data: "ns.com" } as const] }],
    ["an empty answer without authority", { flags: 0 }],
  ])("that sends %s is skipped", async (_, nothing) => {
    await using lame = await startFakeDns(({ reply }) => reply(nothing));
    await using other = await startFakeDns(({ reply }) => reply(good));
    expect(await clientOf([lame, other]).srv(name)).toMatchObject(fromGood);
  });
});

describe("aliases", () => {
  test("that end outside the answer are followed with a query", async () => {
    const answer = await ask(received => {
      if (received.name === name) received.reply({ answers: [cname(name, "B.example.org", 7)] });
      else received.reply({ answers: [srv(received.name, "infra0.example.com")] });
    });
    expect(answer).toMatchObject({ ...fromGood, ttlMs: 7_000, name: `${name}.` });
  });

  test("that end without records are an answer, without a further query", async () => {
    const answers = [cname(name, "b", 7)];
    let flags = recursion;
    await using server = await startFakeDns(({ reply }) =>
      reply({ answers, flags, authorities: flags === recursion ? [soa("", 3)] : [] }),
    );
    const client = clientOf([server]);
    expect(await client.srv(name)).toMatchObject({ records: [], exists: true, ttlMs: 3_000 });
    flags = 3 | recursion;
    expect(await client.srv(name)).toMatchObject({ records: [], exists: false, ttlMs: 0 });
    expect(server.received).toBe(2);
  });

  test.each([
    ["to itself", [cname(name, name)], `loop back to ${name}.`],
    ["in a circle", [cname("b", name), cname(name, "b")], `loop back to ${name}.`],
    [
      "without end",
      Array.from({ length: 20 }, (_, i) => cname(i ? `n${i}` : name, `n${i + 1}`)),
      "are more than 8",
    ],
  ])("that lead %s are an error", async (_, answers, what) => {
    await expect(ask(({ reply }) => reply({ answers }))).rejects.toMatchObject({
      code: "name-not-resolved",
      detail: `look up ${name}.: its aliases (CNAME) ${what}`,
    });
  });

  test("that lead from answer to answer forever are an error", async () => {
    const failure = ask(({ name, reply }) => reply({ answers: [cname(name, `x.${name}`)] }));
    await expect(failure).rejects.toThrow("are more than 8");
  });

  test("and records of other names are ignored", async () => {
    const answers = [srv("other.example.com", "evil"), cname("other.example.com", name), ...good.answers];
    expect(await ask(({ reply }) => reply({ answers }))).toEqual(
      await ask(({ reply }) => reply(good)).then(anyServer),
    );
  });
});

test("search domains are tried until one has the records; else the answer is that of an existing name", async () => {
  await using server = await startFakeDns(({ name, reply }) => {
    if (name === "a.two") reply({ answers: [srv(name, "t")] });
    else reply({ flags: (name === "b.one" ? 0 : 3) | recursion });
  });
  const folder = await mkdtemp(join(tmpdir(), "gw-search-"));
  const resolvConf = join(folder, "resolv.conf");
  await writeFile(resolvConf, "search one two");
  const client = createDnsClient({ servers: [server.address], resolvConf });
  expect(await client.srv("a")).toMatchObject({ name: "a.two.", records: [{ target: "t." }] });
  expect(await client.srv("b")).toMatchObject({ name: "b.one.", records: [], exists: true });
  expect(await client.srv("c")).toMatchObject({ name: "c.one.", records: [], exists: false });
  expect(await client.srv("a.")).toMatchObject({ name: "a.", records: [], exists: false });
  await expect(client.srv("a..")).rejects.toThrow('"a.." is not a domain name');
  await rm(folder, { recursive: true });
});

test("a look-up leaves no socket open, and no listener on its signal", async () => {
  await using server = await startFakeDns(({ name, reply }) =>
    reply({ answers: [srv(name, "t"), a(name, "10.0.0.1")] }),
  );
  // Closed sockets are listed until the next turn of the event loop.
  const openSockets = async (): Promise<readonly string[]> => {
    await nextTurn();
    await nextTurn();
    return process.getActiveResourcesInfo().filter(resource => /UDP|TCP/.test(resource));
  };
  const before = await openSockets();
  const { signal } = new AbortController();
  await clientOf([server]).srv(name, { signal });
  await clientOf([server]).addresses(name, { signal });
  expect(await openSockets()).toEqual(before);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

describe("a look-up that is aborted", () => {
  test("rejects with the reason and closes its sockets, over UDP and TCP", async () => {
    const clock = manualClock();
    await using server = await startFakeDns();
    for (const transport of ["UDP", "TCP"]) {
      const abort = new AbortController();
      const failure = expect(clientOf([server], clock).srv(name, { signal: abort.signal })).rejects.toBe(
        "enough",
      );
      const received = await server.next();
      if (transport === "TCP") received.reply({ flags: truncated });
      const { socket } = transport === "TCP" ? await server.next() : received;
      const closed = socket && once(socket, "close");
      abort.abort("enough");
      await failure;
      await closed;
      expect(clock.pending).toBe(0);
    }
    await expect(clientOf([server]).srv(name, { signal: AbortSignal.abort("before") })).rejects.toBe(
      "before",
    );
  });
});

test("a look-up ends and leaves no timer, whatever is sent", async () => {
  let packets: readonly ((received: Received) => Buffer)[] = [];
  await using server = await startFakeDns(received => {
    const { query, socket, send } = received;
    for (const packet of packets) send(packet(received));
    // Ends the look-up if nothing else did.
    send(replyTo(query, { flags: 2 }));
    socket?.end();
  });
  const clock = manualClock();
  const client = createDnsClient({ servers: [server.address], clock, attempts: 1 });
  const damaged = fc
    .array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    .map(changes => ({ query }: Received) => {
      const packet = replyTo(query, {
        answers: [cname(name, "x"), srv("x", "y")],
        additionals: [a("y", "10.0.0.1")],
      });
      for (const [offset, value] of changes) packet[2 + (offset % (packet.length - 2))] = value;
      return packet;
    });
  const random = fc.uint8Array({ maxLength: 100 }).map(bytes => ({ query }: Received) => {
    return Buffer.concat([replyTo(query).subarray(0, 4), bytes]);
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(damaged, random), { minLength: 1, maxLength: 3 }), async several => {
      packets = several;
      await client.srv(name).then(
        ({ records }) => expect(Array.isArray(records)).toBe(true),
        error => expect(error).toMatchObject({ name: "GatewayError", code: "name-not-resolved" }),
      );
      expect(clock.pending).toBe(0);
    }),
    { seed: 3, numRuns: 500 },
  );
});

function anyServer(answer: unknown): unknown {
  return { ...(answer as object), server: expect.any(String) };
}
