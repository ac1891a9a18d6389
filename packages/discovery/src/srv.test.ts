import { discoveryCompliance } from "@gw/compliance";
import { type Endpoint, formatAddress } from "@gw/interface";
import { type DnsServer, missing, startDnsServer } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dnsOf, watchSrv as watch } from "../test/srv.js";
import { srv } from "./index.js";

const secureOnly = "_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra0\ninfra0 A 127.0.0.1";

describe.skipIf(missing("knotd", "knotc"))("SRV records of a real DNS server", () => {
  test("become endpoints with priority, weight and port, by priority; the service with TLS is looked up", async () => {
    const zone = [
      "_etcd-client-ssl._tcp SRV 20 0 2379 infra2",
      "_etcd-client-ssl._tcp SRV 10 60 2379 infra0",
      "_etcd-client-ssl._tcp SRV 10 40 2380 infra1",
    ].join("\n");
    await using server = await startDnsServer({ zone });
    await using watched = watch(server);
    const [first, second, last] = await watched.next();
    const expected = [
      { host: "infra0.example.com.", port: 2379, priority: 10, weight: 60, secure: true },
      { host: "infra1.example.com.", port: 2380, priority: 10, weight: 40, secure: true },
    ];
    expect([first, second]).toEqual(expect.arrayContaining(expected));
    expect(last).toEqual({ host: "infra2.example.com.", port: 2379, priority: 20, weight: 0, secure: true });
    expect(formatAddress(last as Endpoint)).toBe("infra2.example.com:2379");
  });

  test("without TLS are rejected next to those with it, and used if that is allowed", async () => {
    const zone = `${secureOnly}\n_etcd-client._tcp SRV 0 0 2379 plain`;
    await using server = await startDnsServer({ zone });
    await using strict = watch(server);
    expect((await strict.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
    expect(await strict.nextEvent()).toMatch(/^refused plain\.example\.com:2379: .*--insecure-discovery/);
    await using insecure = watch(server, { insecure: true });
    expect(await insecure.next()).toHaveLength(2);
  });

  test("only without TLS are an error of the configuration if it forbids them, with a hint how to allow them", async () => {
    await using server = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 plain" });
    await using watched = watch(server, { insecure: false });
    await expect(watched.ended).rejects.toMatchObject({ code: "invalid-option" });
    await expect(watched.ended).rejects.toThrow(/_etcd-client.*--insecure-discovery/);
  });

  test("are looked up under the service name with its suffix", async () => {
    await using server = await startDnsServer({ zone: "_etcd-client-ssl-blue._tcp SRV 0 0 2379 infra0" });
    await using watched = watch(server, { serviceName: "blue" });
    expect((await watched.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
  });

  test("with the target '.' mean that the service is not offered", async () => {
    const zone = "_etcd-client-ssl._tcp SRV 0 0 0 .\n_etcd-client._tcp SRV 0 0 2379 infra0";
    await using server = await startDnsServer({ zone });
    await using watched = watch(server, { insecure: true });
    expect((await watched.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
  });

  test("that are misspelt are not found, and the error has both names that were looked up", async () => {
    await using server = await startDnsServer({ zone: "_etcd_client._tcp SRV 0 0 2379 infra0" });
    await using watched = watch(server);
    expect(await watched.nextEvent()).toBe(
      "failed: no SRV records: looked up _etcd-client-ssl._tcp.example.com. and _etcd-client._tcp.example.com.",
    );
    await server.update(secureOnly);
    expect((await watched.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
    expect(await watched.nextEvent()).toBe("recovered");
  });

  test("are updated, and an outage of the server keeps the last good ones", async () => {
    await using server = await startDnsServer({ zone: secureOnly });
    await using watched = watch(server);
    await watched.next();
    await server.update(`${secureOnly}\n_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra1`);
    expect(await watched.next()).toHaveLength(2);
    await server.stop();
    expect(await watched.nextEvent()).toMatch(/^failed: .*_etcd-client/);
    await server.start();
    expect(await watched.nextEvent()).toBe("recovered");
    await server.update("");
    expect(await watched.nextEvent()).toMatch(/no SRV records/);
    await server.update("_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra9");
    expect((await watched.next()).map(formatAddress)).toEqual(["infra9.example.com:2379"]);
  });

  test("that lose TLS later do not cut clients off", async () => {
    await using server = await startDnsServer({ zone: secureOnly });
    await using watched = watch(server);
    await watched.next();
    await server.update("_etcd-client._tcp 1 SRV 0 0 2379 infra0");
    expect(await watched.nextEvent()).toMatch(/^refused infra0/);
    expect(await watched.nextEvent()).toMatch(/^failed: all SRV records/);
    await server.update("_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra1");
    expect((await watched.next()).map(formatAddress)).toEqual(["infra1.example.com:2379"]);
  });

  describe("as a Discovery", () => {
    let server: DnsServer;
    beforeAll(async () => {
      server = await startDnsServer({ zone: secureOnly });
    });
    afterAll(() => server[Symbol.asyncDispose]());
    for (const { name, run } of discoveryCompliance({
      make: () => srv({ domain: "example.com.", dns: dnsOf(server), minRefreshMs: 20 }),
    }))
      test(name, run);
  });
});

test.each(["", "exa mple.com", "-x.com", "a..b", `${"a".repeat(64)}.com`, `${"a.".repeat(120)}com`])(
  "the domain %j cannot be part of a DNS name",
  domain => {
    expect(() => srv({ domain })).toThrow("is not a DNS name");
  },
);
