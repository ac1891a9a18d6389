import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTo,
  createAuthority,
  type DnsServer,
  echo,
  type Gw,
  missing,
  outcome,
  runGw,
  startBackend,
  startDnsServer,
  startGw,
  startProgram,
} from "@gw/testing";
import { describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;

/** An SRV record of the service with TLS, which is not validated here, for a backend on this machine. */
function record(backend: { readonly port: number }, host: string, rest = "0 0"): string {
  return `_etcd-client-ssl._tcp 1 SRV ${rest} ${backend.port} ${host}\n${host} 1 A 127.0.0.1`;
}

function srvFlags(dns: DnsServer): string[] {
  const { host, port } = dns.address;
  return ["--discovery-srv=example.com", `--dns-server=${host}:${port}`, "--discovery-min-refresh=1s"];
}

/** The backends are not etcd, and speak no TLS although the records say so: without health checks this does not matter. */
function startFlags(dns: DnsServer): string[] {
  return [...srvFlags(dns), "--health-check=off"];
}

/** Which backend a new client gets, by the number of connections that each has accepted. */
async function request(gw: { readonly port: number }): Promise<void> {
  const client = await connectTo(gw.port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
}

async function establish(gw: Gw) {
  const client = await connectTo(gw.port);
  const answered = new Promise(resolve => client.once("data", resolve));
  client.write("hello");
  await answered;
  return client;
}

describe.skipIf(missing("knotd", "knotc"))("with SRV records of a real DNS server", () => {
  test("endpoints come and go with the records; the short form of the document works", async () => {
    await using first = await startBackend(echo);
    await using second = await startBackend(echo);
    await using dns = await startDnsServer({ zone: record(first, "infra0") });
    await using gw = await startGw([...startFlags(dns), "--drain-timeout=200ms"]);
    expect(await gw.logged(/ready/)).toMatchObject({ endpoints: [`infra0.example.com:${first.port}`] });
    const client = await establish(gw);
    await dns.update(record(second, "infra1"));
    const changed = await gw.printed(
      /"source":"srv example\.com","reason":"the SRV records changed","added":\["infra1[^\n]*"removed":\["infra0[^\n]*/,
    );
    expect(changed[0]).toContain("endpoints changed");
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await gw.logged(/closing connections/)).toMatchObject({ connections: 1 });
    await request(gw);
    expect([first.accepted, second.accepted]).toEqual([1, 1]);
  });

  test("a worse priority serves only while the better one is away", async () => {
    await using better = await startBackend(echo);
    await using worse = await startBackend(echo);
    const zone = [record(better, "infra0", "1 0"), record(worse, "infra1", "2 0")].join("\n");
    await using dns = await startDnsServer({ zone });
    await using gw = await startGw([...startFlags(dns), "--retry-delay=100ms"]);
    await request(gw);
    await better.stop();
    await request(gw);
    expect([better.accepted, worse.accepted]).toEqual([1, 1]);
    await better.listenAgain();
    await gw.logged(/endpoint up/);
    await request(gw);
    // The retry that found it back was a connection too.
    expect([better.accepted, worse.accepted]).toEqual([3, 1]);
  });

  test("without an answer at the start it asks again, and logs the names", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({ zone: "" });
    const starting = startGw(startFlags(dns));
    const gw = await Promise.all([starting, dns.update(record(backend, "infra0"))]).then(([gw]) => gw);
    await using _ = gw;
    await request(gw);
    for (const line of gw.log.filter(line => line.msg === "discovery failed"))
      expect(line["reason"]).toContain("_etcd-client-ssl._tcp.example.com and _etcd-client._tcp.example.com");
  });

  test("an outage of DNS is logged once, and changes nothing", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({ zone: record(backend, "infra0") });
    await using gw = await startGw(startFlags(dns));
    await dns.stop();
    expect(await gw.logged(/discovery failed/)).toMatchObject({
      level: "warn",
      source: "srv example.com",
    });
    await request(gw);
    await dns.start();
    await gw.logged(/discovery recovered/);
    expect(gw.log.filter(line => line.msg === "discovery failed")).toHaveLength(1);
  });

  test("with --insecure-discovery=false, records without TLS end the start, with how to allow them", async () => {
    await using dns = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 infra0" });
    await using ca = await createAuthority();
    for (const refusal of ["--insecure-discovery=false", `--trusted-ca-file=${ca.certFile}`]) {
      const result = await runGw([...srvFlags(dns), refusal, "--listen-addr=127.0.0.1:0"]);
      expect(result).toMatchObject({ code: 2, stdout: "" });
      expect(result.stderr.split("\n").filter(line => line.startsWith("gw: error:"))).toEqual([
        expect.stringMatching(
          /all SRV records of "example\.com" are without TLS.*--insecure-discovery allows them/,
        ),
      ]);
    }
  });

  test("records without TLS serve where there are no others, and resolve and check warn of them as well", async () => {
    await using backend = await startBackend(echo);
    const zone = `_etcd-client._tcp 1 SRV 0 0 ${backend.port} infra0\ninfra0 1 A 127.0.0.1`;
    await using dns = await startDnsServer({ zone });
    await using gw = await startGw(startFlags(dns));
    await request(gw);
    const warning = /any host on the network could have sent them/;
    expect(await gw.logged(/discovery unsecured/)).toMatchObject({
      level: "warn",
      reason: expect.stringMatching(warning),
    });
    const resolved = await runGw(["resolve", ...srvFlags(dns)]);
    expect(resolved).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^warning: .*any host on the network/m),
    });
    const json = JSON.parse((await runGw(["resolve", "--json", ...srvFlags(dns)])).stdout);
    expect(json).toMatchObject({ problems: [], warnings: [expect.stringMatching(warning)] });
    const checked = await runGw(["check", ...startFlags(dns)]);
    expect(checked).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^warning: .*any host on the network/m),
    });
    const refused = await runGw(["resolve", ...srvFlags(dns), "--insecure-discovery=false"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/all SRV records/) });
  });

  test("SIGHUP looks up everything at once", async () => {
    await using first = await startBackend(echo);
    await using second = await startBackend(echo);
    await using dns = await startDnsServer({ zone: record(first, "infra0") });
    await using gw = await startGw([
      ...startFlags(dns),
      "--discovery-min-refresh=1h",
      "--discovery-max-refresh=2h",
    ]);
    await dns.update(`${record(first, "infra0")}\n${record(second, "infra1")}`);
    gw.kill("SIGHUP");
    await gw.logged(/reloading/);
    expect(await gw.printed(/"added":\["infra1[^\n]*endpoints changed/)).toBeTruthy();
  });

  test("when all endpoints fail, DNS is asked at once", async () => {
    await using gone = await startBackend(echo);
    await using moved = await startBackend(echo);
    await using dns = await startDnsServer({ zone: record(gone, "infra0") });
    await using gw = await startGw([
      ...startFlags(dns),
      "--discovery-min-refresh=1h",
      "--discovery-max-refresh=2h",
    ]);
    await gone.stop();
    await dns.update(record(moved, "infra0"));
    (await connectTo(gw.port)).destroy();
    await gw.printed(new RegExp(`"added":\\["infra0.example.com:${moved.port}"\\][^\\n]*pool changed`));
    await request(gw);
    expect(moved.accepted).toBeGreaterThan(0);
  });

  test("while all endpoints are down, DNS is asked again and again", async () => {
    await using gone = await startBackend(echo);
    await using moved = await startBackend(echo);
    await using dns = await startDnsServer({ zone: record(gone, "infra0").replaceAll(" 1 ", " 3600 ") });
    await using gw = await startGw([...startFlags(dns), "--discovery-max-refresh=2h"]);
    await gone.stop();
    (await connectTo(gw.port)).destroy();
    await gw.logged(/^panic$/, { cause: "all-down" });
    // The answer of the first look-up after that has a TTL of an hour.
    await gw.logged(/^unserved$/);
    await dns.update(record(moved, "infra1"));
    await gw.printed(/"added":\["infra1[^\n]*pool changed/);
    await request(gw);
  });

  test("SIGHUP before there is an answer does not end the start", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({ zone: "" });
    const bin = new URL("../bin/gw.js", import.meta.url).pathname;
    await using gw = startProgram(process.execPath, [bin, ...srvFlags(dns), "--listen-addr=127.0.0.1:0"]);
    await gw.printed(/discovery failed/);
    gw.kill("SIGHUP");
    await gw.printed(/reloading/);
    await dns.update(record(backend, "infra0"));
    await gw.printed(/ready to proxy/);
  });

  test("a source that is misconfigured stops the start although others would serve", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 infra0" });
    const listed = [`--endpoints=127.0.0.1:${backend.port}`, "--listen-addr=127.0.0.1:0"];
    const plain = await runGw([...listed, ...srvFlags(dns), "--insecure-discovery=false"]);
    expect(plain).toMatchObject({ code: 2, stderr: expect.stringMatching(/gw: error: all SRV records/) });
    const file = await runGw([...listed, "--endpoints-file=/no/such/file"]);
    expect(file).toMatchObject({ code: 2, stderr: expect.stringMatching(/gw: error: .*\/no\/such\/file/) });
  });

  test("gw resolve shows what it refuses, ends with exit code 2 then, and bears a reader that has enough", async () => {
    await using dns = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 infra0" });
    const flags = srvFlags(dns).slice(0, 2);
    const result = await runGw(["resolve", ...flags, "--insecure-discovery=false"]);
    expect(result).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^gw: error: all SRV records [^\n]*\n$/),
    });
    expect(result.stdout).toMatch(/^_etcd-client\._tcp\.example\.com: 1 record from/m);
    await dns.update(record({ port: 1 }, "infra0"));
    const watch = `${process.execPath} ${bin} resolve --watch --json ${srvFlags(dns).join(" ")} | head -n 1`;
    await using reading = startProgram("sh", ["-c", watch]);
    await reading.printed(/"usable":true/);
    await dns.update(record({ port: 2 }, "infra0"));
    expect(await reading.exit).toMatchObject({ code: 0, stderr: "" });
  });

  test("texts from DNS are printed and logged without control characters", async () => {
    const zone =
      "_etcd-client-ssl._tcp SRV 0 0 2379 e\\027\\0912J\\155\\010vil\n_etcd-client-ssl._tcp SRV 1 0 2379 infra0";
    await using dns = await startDnsServer({ zone });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
    const active = /[\0-\x09\x0b-\x1f\x7f-\x9f]/;
    for (const args of [["resolve"], ["resolve", "--json"], ["check"]]) {
      const { stdout, stderr } = await runGw([...args, ...srvFlags(dns).slice(0, 2)]);
      expect(stdout).toContain("\\u001b[2j");
      expect(stdout + stderr).not.toMatch(active);
    }
    for (const format of ["json", "text"]) {
      const flags = [...startFlags(dns), "--listen-addr=127.0.0.1:0", `--log-format=${format}`];
      await using gw = startProgram(process.execPath, [bin, ...flags]);
      await gw.printed(/ready to proxy/);
      expect(gw.output).toContain("\\u001b[2j");
      expect(gw.output).not.toMatch(active);
    }
  });

  test("a report that cannot be written is an error", async () => {
    for (const args of ["resolve --endpoints=127.0.0.1", "resolve --json --endpoints=127.0.0.1", "--help"]) {
      const full = startProgram("sh", ["-c", `exec ${process.execPath} ${bin} ${args} > /dev/full`]);
      await using _ = full;
      expect(await full.exit).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^gw: error: write to standard output: .*ENOSPC.*\n$/),
      });
    }
  });

  test("gw resolve prints the records, and fails when nothing is usable", async () => {
    await using dns = await startDnsServer({
      zone: "_etcd-client-ssl._tcp 60 SRV 1 5 2379 infra0\ninfra0 60 A 192.0.2.1\n_etcd-client-ssl._tcp 60 SRV 2 0 2380 nowhere",
    });
    const flags = srvFlags(dns).slice(0, 2);
    const people = await runGw(["resolve", ...flags]);
    expect(people).toMatchObject({ code: 0, stderr: "" });
    expect(people.stdout).toMatch(/^_etcd-client-ssl\._tcp\.example\.com: 2 records from 127\.0\.0\.1:\d+\n/);
    expect(people.stdout).toMatch(
      /^infra0\.example\.com:2379 +1 +5 +yes +not checked +unknown +192\.0\.2\.1$/m,
    );
    expect(people.stdout).toMatch(
      /^nowhere\.example\.com:2380 +2 +0 +yes +not checked +unknown +cannot be resolved$/m,
    );
    const machines = await runGw(["resolve", "--json", ...flags]);
    expect(JSON.parse(machines.stdout)).toMatchObject({
      srv: [
        { name: "_etcd-client-ssl._tcp.example.com" },
        { name: "_etcd-client._tcp.example.com", records: [] },
      ],
      endpoints: [{ endpoint: "infra0.example.com:2379", usable: true }, { usable: false }],
      problems: [],
    });
    await dns.update("");
    const nothing = await runGw(["resolve", ...flags]);
    expect(nothing).toMatchObject({ code: 1, stderr: "gw: error: no usable endpoint was found\n" });
    expect(nothing.stdout).toContain(
      "! srv example.com: no SRV records: looked up _etcd-client-ssl._tcp.example.com",
    );
  });
});

test("gw resolve needs no DNS for what is listed", async () => {
  expect(await runGw(["resolve", "--endpoints=10.0.0.1,https://[::1]:3"])).toMatchObject({
    code: 0,
    stdout: [
      "ENDPOINT       TIER  WEIGHT  TLS      CERTIFICATE  CLUSTER  ADDRESSES",
      "10.0.0.1:2379  0     0       unknown  not checked  unknown  10.0.0.1",
      "[::1]:3        0     0       yes      not checked  unknown  ::1",
      "",
    ].join("\n"),
  });
});

test("a file of endpoints is followed; SIGHUP and an invalid file do not interrupt service", async () => {
  await using first = await startBackend(echo);
  await using second = await startBackend(echo);
  const folder = await mkdtemp(join(tmpdir(), "gw-file-"));
  const path = join(folder, "endpoints.yaml");
  await writeFile(path, `- 127.0.0.1:${first.port}\n`);
  await using gw = await startGw([`--endpoints-file=${path}`, "--discovery-min-refresh=100ms"]);
  await request(gw);
  await writeFile(path, "- {\n");
  expect(await gw.logged(/discovery failed/)).toMatchObject({
    reason: expect.stringContaining("endpoints.yaml"),
  });
  await request(gw);
  await writeFile(path, `- endpoint: 127.0.0.1:${second.port}\n  priority: 1\n`);
  await gw.printed(/"removed":\["127[^\n]*endpoints changed/);
  await gw.logged(/pool changed.*/);
  while (second.accepted === 0) await request(gw);
  await rm(folder, { recursive: true });
});

test("a file that cannot be used stops the start with exit code 2", async () => {
  const result = await runGw(["--endpoints-file=/no/such/file.yaml", "--listen-addr=127.0.0.1:0"]);
  expect(result).toMatchObject({ code: 2, stdout: "" });
  expect(result.stderr).toMatch(/^gw: error: [^\n]*\/no\/such\/file\.yaml[^\n]*\n$/);
});
