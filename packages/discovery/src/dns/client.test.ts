import { freeDnsPort, missing, type Program, startDnsServer, startProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import type { DnsClient } from "./client.js";
import { createDnsClient } from "./create-client.js";

const service = "_etcd-client._tcp.example.com";

function clientOf(...servers: readonly { readonly host: string; readonly port: number }[]): DnsClient {
  return createDnsClient({ servers, preferIPv6: true });
}

describe.skipIf(missing("knotd", "knotc"))("a client of knot", () => {
  test("gets SRV records with priority, weight, port, target and TTL", async () => {
    await using server = await startDnsServer({
      zone: `
_etcd-client._tcp 5 SRV 0 10 2379 Infra0
_etcd-client._tcp 5 SRV 1 0 7001 infra1.example.org.
_etcd-client-ssl._tcp SRV 0 0 0 .`,
    });
    const client = clientOf(server.address);
    const { host, port } = server.address;
    const answer = await client.srv(service);
    expect(answer).toMatchObject({
      name: `${service}.`,
      exists: true,
      ttlMs: 5_000,
      server: `${host}:${port}`,
    });
    expect([...answer.records].sort((one, other) => one.priority - other.priority)).toEqual([
      { priority: 0, weight: 10, port: 2379, target: "infra0.example.com.", ttlMs: 5_000 },
      { priority: 1, weight: 0, port: 7001, target: "infra1.example.org.", ttlMs: 5_000 },
    ]);
    expect((await client.srv("_ETCD-client-ssl._tcp.example.com.")).records).toMatchObject([{ target: "." }]);
  });

  test("gets the new records when the zone has changed", async () => {
    await using server = await startDnsServer({ zone: "_etcd-client._tcp 1 SRV 0 0 2379 infra0" });
    const client = clientOf(server.address);
    expect(await client.srv(service)).toMatchObject({ ttlMs: 1_000, records: [{ port: 2379 }] });
    await server.update("_etcd-client._tcp 30 SRV 0 0 2380 infra0");
    expect(await client.srv(service)).toMatchObject({ ttlMs: 30_000, records: [{ port: 2380 }] });
  });

  test("gets records over TCP that do not fit into one packet", async () => {
    const numbers = Array.from({ length: 800 }, (_, index) => index + 1);
    const zone = numbers.map(port => `_etcd-client._tcp SRV 0 0 ${port} infra${port}`).join("\n");
    await using server = await startDnsServer({ zone });
    const { records } = await clientOf(server.address).srv(service);
    expect(records.map(({ port }) => port).sort((one, other) => one - other)).toEqual(numbers);
  });

  test("follows aliases, and uses the least TTL of the chain", async () => {
    await using server = await startDnsServer({
      zone: `
_etcd-client._tcp 20 CNAME b
b 10 CNAME c
c 30 SRV 0 0 2379 infra0
infra0 CNAME infra1
infra1 A 10.0.0.1`,
    });
    const client = clientOf(server.address);
    expect(await client.srv(service)).toMatchObject({
      ttlMs: 10_000,
      records: [{ target: "infra0.example.com.", ttlMs: 30_000 }],
    });
    expect((await client.addresses("infra0.example.com.")).addresses).toEqual(["10.0.0.1"]);
  });

  test("gets addresses of both families, or of one if there is no other", async () => {
    await using server = await startDnsServer({
      zone: `
both A 10.0.0.1
both A 10.0.0.2
both 7 AAAA fd00::1
six AAAA fd00::6
four A 10.0.0.4`,
    });
    const client = clientOf(server.address);
    const both = await client.addresses("both.example.com");
    expect([...both.addresses].sort()).toEqual(["10.0.0.1", "10.0.0.2", "fd00::1"]);
    expect(both.addresses[0]).toBe("fd00::1");
    expect(both.ttlMs).toBeGreaterThan(0);
    expect(both.ttlMs).toBeLessThanOrEqual(7_000);
    expect((await client.addresses("six.example.com")).addresses).toEqual(["fd00::6"]);
    expect((await client.addresses("four.example.com")).addresses).toEqual(["10.0.0.4"]);
    const ipv4 = createDnsClient({ servers: [server.address], preferIPv6: false });
    expect((await ipv4.addresses("both.example.com")).addresses[2]).toBe("fd00::1");
  });

  test("distinguishes a name that does not exist from one without such records, with the TTL", async () => {
    await using server = await startDnsServer({ zone: "infra0 A 10.0.0.1", negativeTtl: 9 });
    const client = clientOf(server.address);
    const nothing = { records: [], ttlMs: 9_000 };
    expect(await client.srv(service)).toMatchObject({ ...nothing, exists: false, name: `${service}.` });
    expect(await client.srv("infra0.example.com")).toMatchObject({ ...nothing, exists: true });
    expect(await client.addresses("infra9.example.com")).toMatchObject({ addresses: [], exists: false });
  });

  test("queries the next server if one is down or refuses, and the first again when it is up", async () => {
    const zone = "infra0 SRV 0 0 2379 x";
    await using first = await startDnsServer({ zone: "infra0 SRV 0 0 2380 x" });
    await using other = await startDnsServer({ zone, origin: "example.org" });
    await using last = await startDnsServer({ zone });
    const client = clientOf(other.address, first.address, last.address);
    const port = async (): Promise<number | undefined> =>
      (await client.srv("infra0.example.com")).records[0]?.port;
    expect(await port()).toBe(2380);
    await first.stop();
    expect(await port()).toBe(2379);
    await first.start();
    expect(await port()).toBe(2380);
  });

  test("fails with name, type, servers and reasons when no server answers", async () => {
    await using first = await startDnsServer({ zone: "" });
    await using second = await startDnsServer({ zone: "" });
    await second.stop();
    const [one, two] = [first, second].map(({ address }) => `${address.host}:${address.port}`);
    await expect(clientOf(first.address, second.address).srv("a.example.org")).rejects.toMatchObject({
      code: "name-not-resolved",
      detail: `look up SRV records of a.example.org.: ${one}: answered REFUSED; ${two}: connection refused (ECONNREFUSED)`,
    });
  });
});

describe.skipIf(missing("dnsmasq"))("a client of dnsmasq", () => {
  async function startDnsmasq(...settings: readonly string[]): Promise<Program & { readonly port: number }> {
    const port = await freeDnsPort();
    const program = startProgram("dnsmasq", [
      "--no-daemon",
      "--conf-file=/dev/null",
      "--pid-file",
      "--no-resolv",
      "--no-hosts",
      "--user=",
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      `--port=${port}`,
      ...settings,
    ]);
    try {
      await program.printed(/started, version/);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
    return Object.defineProperty(program as Program & { readonly port: number }, "port", { value: port });
  }

  test("gets SRV records and addresses", async () => {
    await using server = await startDnsmasq(
      "--local=/example.com/",
      `--srv-host=${service},infra0.example.com,2379,1,5`,
      "--host-record=infra0.example.com,10.0.0.1,fd00::1,20",
    );
    const client = clientOf({ host: "127.0.0.1", port: server.port });
    expect((await client.srv(service)).records).toMatchObject([
      { priority: 1, weight: 5, port: 2379, target: "infra0.example.com." },
    ]);
    expect((await client.addresses("infra0.example.com")).addresses).toEqual(["fd00::1", "10.0.0.1"]);
    expect(await client.srv("nothing.example.com")).toMatchObject({ records: [], exists: false });
  });
});

test.each([
  [{ servers: [] }, "the list of DNS servers is empty"],
  [{ servers: [{ host: "ns.example.com", port: 53 }] }, 'DNS server "ns.example.com" is not an IP address'],
  [{ timeoutMs: 0 }, "the DNS timeout must be more than 0"],
  [{ timeoutMs: Number.NaN }, "the DNS timeout must be more than 0"],
  [{ attempts: 0 }, "the number of DNS attempts must be a whole number above 0"],
])("a client rejects %j", (options, complaint) => {
  expect(() => createDnsClient(options)).toThrow(`[invalid-option] ${complaint}`);
});
