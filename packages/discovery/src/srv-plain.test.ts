// Records without TLS, without `insecure` in the configuration.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAddress } from "@gw/interface";
import { missing, startDnsServer } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { srv as srvRecord, startFakeDns } from "../test/fake-dns.js";
import { watchSrv } from "../test/srv.js";
import { createDnsClient } from "./index.js";

const plain = "_etcd-client._tcp 1 SRV 0 0 2379 plain";
const secure = "_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra0";

describe.skipIf(missing("knotd", "knotc"))("records without TLS, of a real DNS server", () => {
  test("are used if there are none with TLS, with one warning that they are not secured", async () => {
    await using server = await startDnsServer({ zone: plain });
    await using watched = watchSrv(server);
    expect(await watched.next()).toMatchObject([{ host: "plain.example.com.", secure: false }]);
    expect(await watched.nextEvent()).toMatch(
      /^unsecured: .*_etcd-client-ssl\._tcp\.example\.com.*_etcd-client\._tcp\.example\.com.*any host on the network could have sent them/,
    );
    await server.update(`${plain}\n_etcd-client._tcp 1 SRV 0 0 2379 other`);
    expect(await watched.next()).toHaveLength(2);
    // The next event is an outage: the warning is not repeated.
    await server.stop();
    expect(await watched.nextEvent()).toMatch(/^failed: /);
  });

  test("are used if the answer for TLS is that the service is not offered", async () => {
    await using server = await startDnsServer({ zone: `_etcd-client-ssl._tcp SRV 0 0 0 .\n${plain}` });
    await using watched = watchSrv(server);
    expect((await watched.next()).map(formatAddress)).toEqual(["plain.example.com:2379"]);
    expect(await watched.nextEvent()).toMatch(/^unsecured/);
  });

  test("are removed when records with TLS appear, and not used again when those are gone", async () => {
    await using server = await startDnsServer({ zone: plain });
    await using watched = watchSrv(server);
    await watched.next();
    expect(await watched.nextEvent()).toMatch(/^unsecured/);
    await server.update(`${plain}\n${secure}`);
    expect((await watched.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
    expect(await watched.nextEvent()).toMatch(/^refused plain\.example\.com:2379/);
    await server.update(plain);
    expect(await watched.nextEvent()).toMatch(
      /^failed: all SRV records.*_etcd-client\._tcp\.example\.com.*_etcd-client-ssl/,
    );
    await server.update("");
    expect(await watched.nextEvent()).toMatch(/^failed: no SRV records/);
    await server.update(`${plain}\n${secure}\n_etcd-client-ssl._tcp 1 SRV 0 0 2379 infra1`);
    expect((await watched.next()).map(formatAddress).toSorted()).toEqual([
      "infra0.example.com:2379",
      "infra1.example.com:2379",
    ]);
  });

  test("are not used with records with TLS of which none can be used", async () => {
    await using server = await startDnsServer({ zone: `_etcd-client-ssl._tcp 1 SRV 0 0 2379 *\n${plain}` });
    await using watched = watchSrv(server);
    await watched.nextEvent();
    await watched.nextEvent();
    expect(await watched.nextEvent()).toMatch(/^failed: all SRV records/);
    await server.update(secure);
    expect((await watched.next()).map(formatAddress)).toEqual(["infra0.example.com:2379"]);
  });
});

describe("records without TLS, while the look-up of those with TLS fails", () => {
  test.each([
    ["fails (SERVFAIL)", 2],
    ["refuses (REFUSED)", 5],
    ["is silent", undefined],
  ])("are not used: with a server that %s it is unknown whether there are others", async (_, rcode) => {
    let answersForTls = false;
    await using server = await startFakeDns(({ name, reply }) => {
      if (!name.includes("-ssl")) reply({ answers: [srvRecord(name, "plain.example.com", 1)] });
      else if (answersForTls) reply({ flags: 0x83 });
      else if (rcode !== undefined) reply({ flags: 0x80 | rcode });
    });
    await using watched = watchSrv(server);
    expect(await watched.nextEvent()).toMatch(
      /^failed: .*_etcd-client-ssl\._tcp\.example\.com.*_etcd-client\._tcp\.example\.com\.? is not used/,
    );
    answersForTls = true;
    expect((await watched.next()).map(formatAddress)).toEqual(["plain.example.com:2379"]);
  });

  test("are used if only another domain of the search list fails", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-srv-"));
    try {
      const resolvConf = join(folder, "resolv.conf");
      await writeFile(resolvConf, "search broken corp\noptions ndots:5\n");
      await using server = await startFakeDns(({ name, reply }) => {
        if (name.endsWith(".broken")) reply({ flags: 0x82 });
        else if (name === "_etcd-client._tcp.etcd.corp") reply({ answers: [srvRecord(name, "a.corp", 1)] });
        else reply({ flags: 0x83 });
      });
      const dns = createDnsClient({ resolvConf, servers: [server.address], timeoutMs: 500, attempts: 1 });
      await using watched = watchSrv(server, { domain: "etcd", dns });
      expect((await watched.next()).map(formatAddress)).toEqual(["a.corp:2379"]);
      expect(await watched.nextEvent()).toMatch(/^unsecured/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("stay in use, but no new ones are used", async () => {
    let fails = false;
    let target = "plain.example.com";
    await using server = await startFakeDns(({ name, reply }) => {
      if (!name.includes("-ssl")) reply({ answers: [srvRecord(name, target, 1)] });
      else reply({ flags: fails ? 0x82 : 0x83 });
    });
    await using watched = watchSrv(server);
    await watched.next();
    expect(await watched.nextEvent()).toMatch(/^unsecured/);
    fails = true;
    target = "evil.example.com";
    expect(await watched.nextEvent()).toMatch(/^failed: /);
    target = "infra1.example.com";
    fails = false;
    expect((await watched.next()).map(formatAddress)).toEqual(["infra1.example.com:2379"]);
  });

  test("are used if the configuration allows them", async () => {
    await using server = await startFakeDns(({ name, reply }) => {
      if (name.includes("-ssl")) reply({ flags: 0x82 });
      else reply({ answers: [srvRecord(name, "plain.example.com", 1)] });
    });
    await using watched = watchSrv(server, { insecure: true });
    expect((await watched.next()).map(formatAddress)).toEqual(["plain.example.com:2379"]);
  });
});
