import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import {
  a,
  aaaa,
  type FakeDns,
  type Received,
  recursion,
  soa,
  srv,
  startFakeDns,
} from "../../test/fake-dns.js";
import type { DnsClient } from "./client.js";
import { createDnsClient } from "./create-client.js";

const host = "infra0.example.com";
const nxDomain = 3 | recursion;
const servFail = 2 | recursion;

/** A client of one server, its clock, and its queries. */
function clientOf(server: FakeDns): {
  readonly client: DnsClient;
  readonly clock: ReturnType<typeof manualClock>;
} {
  const clock = manualClock();
  const client = createDnsClient({ servers: [server.address], clock, preferIPv6: true, attempts: 1 });
  return { client, clock };
}

/** The server's answers by type of query. */
function by(answers: {
  readonly [type: string]: (received: Received) => void;
}): (received: Received) => void {
  return received => answers[received.type]?.(received);
}

const v4 = ({ reply, name }: Received): void => reply({ answers: [a(name, "10.0.0.1", 10)] });
const v6 = ({ reply, name }: Received): void => reply({ answers: [aaaa(name, "fd00::1", 20)] });
const none = ({ reply }: Received): void => reply({ authorities: [soa("example.com", 60)] });
const fails = ({ reply }: Received): void => reply({ flags: servFail });

describe("addresses", () => {
  test("are remembered until their TTL expires, each family separately, or until `forget`", async () => {
    await using server = await startFakeDns(by({ A: v4, AAAA: v6 }));
    const { client, clock } = clientOf(server);
    const both = { name: `${host}.`, addresses: ["fd00::1", "10.0.0.1"], exists: true };
    expect(await client.addresses(host)).toEqual({ ...both, ttlMs: 10_000 });
    await clock.advance(9_999);
    expect(await client.addresses("INFRA0.example.com.")).toEqual({ ...both, ttlMs: 1 });
    expect(server.received).toBe(2);
    await clock.advance(1);
    expect(await client.addresses(host)).toEqual({ ...both, ttlMs: 10_000 });
    expect(server.received).toBe(3);
    client.forget();
    await client.addresses(host);
    expect(server.received).toBe(5);
    expect(clock.pending).toBe(0);
  });

  test("with a TTL of 0 are not remembered", async () => {
    const answers = [a(host, "10.0.0.1", 0)];
    await using server = await startFakeDns(by({ A: ({ reply }) => reply({ answers }), AAAA: none }));
    const { client } = clientOf(server);
    for (const received of [2, 3]) {
      expect(await client.addresses(host)).toMatchObject({ addresses: ["10.0.0.1"], ttlMs: 0 });
      expect(server.received).toBe(received);
    }
  });

  test.each([
    ["2147483647, the longest that there is,", 2 ** 31 - 1, 60_000],
    ["4294967295, with the top bit set (RFC 2181),", 2 ** 32 - 1, 5_000],
    ["0", 0, 5_000],
    ["30", 30, 30_000],
  ])("with a TTL of %s are remembered within the bounds", async (_, ttl, heldMs) => {
    await using server = await startFakeDns(
      by({ A: ({ reply }) => reply({ answers: [a(host, "10.0.0.1", ttl)] }), AAAA: none }),
    );
    const clock = manualClock();
    const client = createDnsClient({ servers: [server.address], clock, minTtlMs: 5_000, maxTtlMs: 60_000 });
    expect(await client.addresses(host)).toMatchObject({ ttlMs: heldMs });
    await clock.advance(heldMs - 1);
    await client.addresses(host);
    expect(server.received).toBe(2);
    await clock.advance(1);
    await client.addresses(host);
    expect(server.received).toBeGreaterThan(2);
  });

  test("from SRV answers are remembered within the bounds as well", async () => {
    const target = "t.example.com";
    await using server = await startFakeDns(({ name, type, reply }) =>
      type === "SRV"
        ? reply({
            answers: [srv(name, target)],
            additionals: [a(target, "10.0.0.1", 2 ** 31 - 1), aaaa(target, "fd00::1", 2 ** 31 - 1)],
          })
        : reply({ answers: [] }),
    );
    const client = createDnsClient({ servers: [server.address], clock: manualClock() });
    await client.srv(host);
    expect(await client.addresses(`${target}.`)).toMatchObject({ ttlMs: 300_000 });
  });

  test("are looked up again for `fresh`, but not twice in a second", async () => {
    await using server = await startFakeDns(by({ A: v4, AAAA: v6 }));
    const { client, clock } = clientOf(server);
    const received: number[] = [];
    for (const waitMs of [0, 1_000, 1, 500]) {
      await clock.advance(waitMs);
      await client.addresses(host, { fresh: true });
      received.push(server.received);
    }
    expect(received).toEqual([2, 2, 4, 4]);
  });

  test("that do not exist are looked up again after five seconds", async () => {
    for (const nothing of [
      none,
      ({ reply }: Received) => reply({ flags: nxDomain, authorities: [soa("", 60)] }),
    ]) {
      await using server = await startFakeDns(nothing);
      const { client, clock } = clientOf(server);
      expect(await client.addresses(host)).toMatchObject({
        addresses: [],
        ttlMs: 5_000,
        exists: nothing === none,
      });
      await clock.advance(4_999);
      await client.addresses(host);
      expect(server.received).toBe(2);
      await clock.advance(1);
      await client.addresses(host);
      expect(server.received).toBe(4);
    }
  });

  test("of one family are enough, at once if the other fails, after a second if it is silent", async () => {
    await using failing = await startFakeDns(by({ A: fails, AAAA: v6 }));
    expect((await clientOf(failing).client.addresses(host)).addresses).toEqual(["fd00::1"]);

    await using silent = await startFakeDns();
    const clock = manualClock();
    let graceBegan = (): void => {};
    const grace = new Promise<void>(resolve => {
      graceBegan = resolve;
    });
    const client = createDnsClient({
      servers: [silent.address],
      clock: {
        now: clock.now,
        after(delayMs, callback) {
          if (delayMs === 1_000) graceBegan();
          return clock.after(delayMs, callback);
        },
      },
    });
    const found = client.addresses(host);
    const queries = [await silent.next(), await silent.next()];
    queries.find(({ type }) => type === "A")?.reply({ answers: [a(host, "10.0.0.1", 10)] });
    await grace;
    await clock.advance(1_000);
    expect((await found).addresses).toEqual(["10.0.0.1"]);
    expect(clock.pending).toBe(0);
  });

  test("are unknown if one family fails and the other has none, unless the name does not exist", async () => {
    await using failing = await startFakeDns(by({ A: none, AAAA: fails }));
    await expect(clientOf(failing).client.addresses(host)).rejects.toThrow("answered SERVFAIL");
    await using gone = await startFakeDns(by({ A: ({ reply }) => reply({ flags: nxDomain }), AAAA: fails }));
    expect(await clientOf(gone).client.addresses(host)).toMatchObject({ addresses: [], exists: false });
  });

  test("are looked up once for all concurrent callers", async () => {
    await using server = await startFakeDns();
    const { client } = clientOf(server);
    const [gone, patient] = [new AbortController(), new AbortController()];
    const found = [client.addresses(host, patient), client.addresses(host)];
    const left = expect(client.addresses(host, gone)).rejects.toBe("gone");
    const [first, second] = [await server.next(), await server.next()];
    gone.abort("gone");
    await left;
    for (const { type, reply } of [first, second])
      reply({ answers: [type === "A" ? a(host, "10.0.0.1") : aaaa(host, "fd00::1")] });
    for (const one of found) expect((await one).addresses).toEqual(["fd00::1", "10.0.0.1"]);
    expect(server.received).toBe(2);
  });

  test("are not looked up any more when all callers have given up", async () => {
    await using server = await startFakeDns();
    const { client, clock } = clientOf(server);
    const abort = new AbortController();
    const left = [client.addresses(host, abort), client.addresses(host, abort)].map(one =>
      expect(one).rejects.toBe("gone"),
    );
    await server.next();
    await server.next();
    abort.abort("gone");
    await Promise.all(left);
    expect(clock.pending).toBe(0);
    const again = client.addresses(host);
    for (const { name, type, reply } of [await server.next(), await server.next()])
      reply({ answers: [type === "A" ? a(name, "10.0.0.1") : aaaa(name, "fd00::1")] });
    expect((await again).addresses).toEqual(["fd00::1", "10.0.0.1"]);
  });
});

describe("addresses in SRV answers", () => {
  const service = "_etcd-client._tcp.example.com";
  const withSrv = (additionals: Parameters<Received["reply"]>[0]) => ({
    SRV: ({ reply }: Received) => reply({ answers: [srv(service, host)], ...additionals }),
    A: v4,
    AAAA: v6,
  });

  test("are used for its targets, and missing ones are looked up", async () => {
    const additionals = [a(host, "10.9.9.9", 5), a("evil.example.com", "10.6.6.6")];
    await using server = await startFakeDns(by(withSrv({ additionals })));
    const { client } = clientOf(server);
    await client.srv(service);
    expect(await client.addresses(host)).toMatchObject({ addresses: ["fd00::1", "10.9.9.9"], ttlMs: 5_000 });
    expect(server.received).toBe(2);
    expect((await client.addresses("evil.example.com")).addresses).toEqual(["fd00::1", "10.0.0.1"]);
  });

  test("do not replace addresses that were looked up", async () => {
    const additionals = [a(host, "10.9.9.9"), aaaa(host, "fd00::9")];
    await using server = await startFakeDns(by(withSrv({ additionals })));
    const { client, clock } = clientOf(server);
    await client.addresses(host);
    await client.srv(service);
    expect((await client.addresses(host)).addresses).toEqual(["fd00::1", "10.0.0.1"]);
    await clock.advance(20_000);
    await client.srv(service);
    expect((await client.addresses(host)).addresses).toEqual(["fd00::9", "10.9.9.9"]);
  });
});

test("no more than a thousand names are remembered", async () => {
  const names = Array.from({ length: 1_001 }, (_, index) => `n${index}.example.com`);
  await using server = await startFakeDns(by({ A: v4, AAAA: v6 }));
  const { client } = clientOf(server);
  for (const name of names) await client.addresses(name);
  expect(server.received).toBe(2_002);
  await client.addresses(names.at(-1) as string);
  expect(server.received).toBe(2_002);
  await client.addresses(names[0] as string);
  expect(server.received).toBe(2_004);
});
