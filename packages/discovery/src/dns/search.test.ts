import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, missing, startDnsServer } from "@gw/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { a, cname, type Received, recursion, srv, startFakeDns, truncated } from "../../test/fake-dns.js";
import type { DnsClient, DnsClientOptions } from "./client.js";
import { createDnsClient } from "./create-client.js";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-search-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function clientOf(resolvConf: string, options: DnsClientOptions): Promise<DnsClient> {
  const path = join(folder, "resolv.conf");
  await writeFile(path, resolvConf);
  return createDnsClient({ resolvConf: path, ...options });
}

const nxDomain = { flags: 3 | recursion };

/** A server that does this for names in `one.`, and has records in `two.` only. */
function brokenIn(one: (received: Received) => void): (received: Received) => void {
  return received => {
    const { name, type, reply } = received;
    if (name.endsWith(".one")) one(received);
    else if (!name.endsWith(".two")) reply(nxDomain);
    else reply({ answers: type === "SRV" ? [srv(name, "t")] : type === "A" ? [a(name, "10.0.0.1")] : [] });
  };
}

describe("a search domain whose names cannot be looked up does not end the search", () => {
  test.each<[failure: string, one: (received: Received) => void]>([
    ["FORMERR", ({ reply }) => reply({ flags: 1 | recursion })],
    ["SERVFAIL", ({ reply }) => reply({ flags: 2 | recursion })],
    ["NOTIMP", ({ reply }) => reply({ flags: 4 | recursion })],
    ["REFUSED", ({ reply }) => reply({ flags: 5 | recursion })],
    ["NOTAUTH", ({ reply }) => reply({ flags: 9 | recursion })],
    ["a referral", ({ reply }) => reply({ flags: 0 })],
    ["a loop of aliases", ({ name, reply }) => reply({ answers: [cname(name, name)] })],
    [
      "a truncated answer that TCP does not complete",
      ({ reply, socket }) => (socket ? socket.destroy() : reply({ flags: truncated })),
    ],
  ])("%s", async (_, one) => {
    await using server = await startFakeDns(brokenIn(one));
    const client = await clientOf("search one two\noptions ndots:2", { servers: [server.address] });
    expect(await client.srv("_etcd._tcp")).toMatchObject({
      name: "_etcd._tcp.two.",
      records: [{ target: "t." }],
    });
    expect(await client.addresses("infra0")).toMatchObject({
      name: "infra0.two.",
      addresses: ["10.0.0.1"],
    });
  });

  test("silence: the other names are looked up with one attempt each", async () => {
    const asked: string[] = [];
    await using server = await startFakeDns(received => {
      asked.push(received.name);
      brokenIn(({ name, reply }) => name.startsWith("x.") && reply())(received);
    });
    const options = { servers: [server.address], timeoutMs: 100 };
    const client = await clientOf("search one a.one b.one two\noptions ndots:1 attempts:3", options);
    expect(await client.srv("infra0")).toMatchObject({ name: "infra0.two." });
    // In its only attempt, a silent server is queried with EDNS and without.
    const once = ["a", "a", "b", "b"].map(domain => `infra0.${domain}.one`);
    expect(asked).toEqual([...Array(3).fill("infra0.one"), ...once, "infra0.two"]);
  });
});

describe("the answer that a name does not exist", () => {
  const options = { timeoutMs: 100, attempts: 1 };

  test("is the answer when none of its absolute names exists", async () => {
    await using server = await startFakeDns(({ reply }) => reply(nxDomain));
    const client = await clientOf("search one two", { servers: [server.address], ...options });
    expect(await client.srv("infra0")).toMatchObject({ exists: false, name: "infra0.one." });
    expect(await client.addresses("infra0")).toMatchObject({ exists: false, addresses: [] });
  });

  test.each<[string, string, (received: Received) => void, string, RegExp]>([
    [
      "failed",
      "infra0.one",
      ({ reply }) => reply({ flags: 2 }),
      "name-not-resolved",
      /^look up SRV records of infra0.one.: .*: answered SERVFAIL; infra0.two. does not exist; infra0. does not exist$/,
    ],
    [
      "was silent",
      "infra0.two",
      () => {},
      "timed-out",
      /^look up SRV records of infra0.two.: .*: no answer within 100 ms; infra0.one. does not exist; infra0. does not exist$/,
    ],
    [
      "is the name itself and failed",
      "infra0",
      ({ reply }) => reply({ flags: 5 }),
      "name-not-resolved",
      /of infra0.: .*: answered REFUSED; /,
    ],
  ])("is not believed when one of them %s", async (_, bad, behaviour, code, detail) => {
    await using server = await startFakeDns(received =>
      received.name === bad ? behaviour(received) : received.reply(nxDomain),
    );
    const client = await clientOf("search one two", { servers: [server.address], ...options });
    await expect(client.srv("infra0")).rejects.toMatchObject({ code, detail: expect.stringMatching(detail) });
    await expect(client.addresses("infra0")).rejects.toMatchObject({ code });
  });

  test("nor the answer that it has none, when one of them failed", async () => {
    await using server = await startFakeDns(({ name, reply }) =>
      reply({ flags: (name === "infra0.two" ? 2 : 0) | recursion }),
    );
    const client = await clientOf("search one two", { servers: [server.address], ...options });
    await expect(client.srv("infra0")).rejects.toMatchObject({
      detail: expect.stringMatching(/answered SERVFAIL; infra0.one. has none; infra0. has none$/),
    });
  });
});

test("of several failures the most informative is reported, with the others in short", async () => {
  await using server = await startFakeDns(({ name, reply }) => name.endsWith("z") && reply({ flags: 2 }));
  const domains = ["a", "b", "c", "z", "d", "e", "f"];
  const client = await clientOf(`search ${domains.join(" ")}`, {
    servers: [server.address],
    timeoutMs: 20,
    attempts: 1,
  });
  await expect(client.srv("x")).rejects.toMatchObject({
    code: "name-not-resolved",
    detail: expect.stringMatching(
      /^look up SRV records of x\.z\.: .*: answered SERVFAIL; x\.a\. failed as well \(timed-out\); (x\.[bcde]\. failed as well \(timed-out\); ){4}2 other names$/,
    ),
  });
});

test("an aborted search sends no more queries", async () => {
  await using server = await startFakeDns();
  const client = await clientOf("search one two", { servers: [server.address], clock: manualClock() });
  const abort = new AbortController();
  const failure = expect(client.srv("infra0", abort)).rejects.toBe("enough");
  await server.next();
  abort.abort("enough");
  await failure;
  expect(server.received).toBe(1);
});

test("with no-tld-query a name without dots is not looked up as it is, unless nothing is searched", async () => {
  const asked: string[] = [];
  await using server = await startFakeDns(({ name, reply }) => {
    asked.push(name);
    reply(nxDomain);
  });
  const options = { servers: [server.address] };
  await (await clientOf("search one\noptions no-tld-query", options)).srv("infra0");
  await (await clientOf("search one\noptions no-tld-query", options)).srv("infra0.b");
  await (await clientOf("domain .\noptions no-tld-query", options)).srv("infra0");
  expect(asked).toEqual(["infra0.one", "infra0.b", "infra0.b.one", "infra0"]);
});

test("LOCALDOMAIN and RES_OPTIONS of the environment are used", async () => {
  await using server = await startFakeDns(brokenIn(({ reply }) => reply({ flags: 2 })));
  const client = await clientOf("search three\noptions ndots:1", {
    servers: [server.address],
    environment: { LOCALDOMAIN: "one two", RES_OPTIONS: "ndots:3" },
  });
  expect(await client.srv("_etcd._tcp")).toMatchObject({ name: "_etcd._tcp.two." });
});

describe.skipIf(missing("knotd", "knotc"))("among domains of knot", () => {
  test("one that the server refuses is skipped", async () => {
    await using server = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 infra0" });
    const client = await clientOf("search example.org example.com", { servers: [server.address] });
    expect(await client.srv("_etcd-client._tcp")).toMatchObject({
      name: "_etcd-client._tcp.example.com.",
      records: [{ target: "infra0.example.com." }],
    });
  });
});
