// The state file: what a gateway remembers for a start without DNS.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Backend,
  connectTo,
  type DnsServer,
  echo,
  type Gw,
  missing,
  outcome,
  startBackend,
  startDnsServer,
  startGw,
  startProgram,
} from "@gw/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-state-"));
});
afterEach(() => rm(folder, { recursive: true }));

const stateFile = (): string => join(folder, "endpoints.json");

function record(backend: { readonly port: number }, host: string): string {
  return `_etcd-client-ssl._tcp 1 SRV 0 7 ${backend.port} ${host}\n${host} 1 A 127.0.0.1`;
}

/** The backends speak no TLS although the records say so: without health checks this does not matter. */
function flags({ address: { host, port } }: DnsServer): string[] {
  return [
    "--discovery-srv=example.com",
    `--dns-server=${host}:${port}`,
    "--discovery-min-refresh=1s",
    "--health-check=off",
  ];
}

async function request({ port }: Gw): Promise<void> {
  const client = await connectTo(port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
}

async function terminate(gw: Gw): Promise<void> {
  gw.kill("SIGTERM");
  expect(await gw.exit).toMatchObject({ code: 0 });
}

/** A gateway that has served a client, saved its endpoint and was stopped. */
async function remember(dns: DnsServer): Promise<void> {
  await using gw = await startGw([...flags(dns), `--state-file=${stateFile()}`]);
  await request(gw);
  await expect.poll(() => readdir(folder), { timeout: 20_000 }).toEqual(["endpoints.json"]);
  await terminate(gw);
}

describe.skipIf(missing("knotd", "knotc"))("with a real DNS server", () => {
  let backend: Backend;
  let dns: DnsServer;
  beforeEach(async () => {
    backend = await startBackend(echo);
    dns = await startDnsServer({ zone: record(backend, "infra0") });
  });
  afterEach(async () => {
    await dns[Symbol.asyncDispose]();
    await backend[Symbol.asyncDispose]();
  });

  test("the last good endpoints serve while DNS is down, and are dropped when it is back", async () => {
    await remember(dns);
    expect(JSON.parse(await readFile(stateFile(), "utf8"))).toMatchObject({
      format: 1,
      endpoints: [{ host: "infra0.example.com.", port: backend.port, priority: 0, weight: 7, secure: true }],
      hosts: [{ name: "infra0.example.com.", addresses: ["127.0.0.1"] }],
    });
    expect((await stat(stateFile())).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["endpoints.json"]);

    await dns.stop();
    await using gw = await startGw([...flags(dns), `--state-file=${stateFile()}`]);
    const endpoint = `infra0.example.com:${backend.port}`;
    expect(await gw.logged(/^remembered endpoints used/)).toMatchObject({
      level: "warn",
      endpoints: [endpoint],
      saved: expect.stringMatching(/^20..-..-..T/),
      age: expect.stringMatching(/s$/),
      reason: expect.stringContaining("example.com"),
    });
    expect(await gw.logged(/^ready/)).toMatchObject({ endpoints: [endpoint] });
    expect(await gw.logged(/^remembered addresses used/)).toMatchObject({
      host: "infra0.example.com.",
      addresses: ["127.0.0.1"],
    });
    await request(gw);

    await using other = await startBackend(echo);
    await dns.start();
    await dns.update(record(other, "infra1"));
    await gw.logged(/^remembered endpoints dropped/);
    // The new endpoint follows in a moment, when its host is looked up.
    await expect
      .poll(() => gw.log.filter(({ msg }) => msg === "pool changed").at(-1), { timeout: 20_000 })
      .toMatchObject({
        added: [`infra1.example.com:${other.port}`],
        removed: [endpoint],
      });
    // When the second one is served, the gateway has heard that the first was connected.
    for (let count = 0; count < 2; count++) await request(gw);
    await terminate(gw);
    const saved = JSON.parse(await readFile(stateFile(), "utf8"));
    expect(saved.endpoints).toMatchObject([{ host: "infra1.example.com.", port: other.port }]);
  });

  test("a damaged file is a warning: the start waits for DNS as without one, and the file is replaced", async () => {
    await writeFile(stateFile(), '{"format":1,"savedAt":');
    await dns.stop();
    const run = [bin, "start", "--listen-addr=127.0.0.1:0", "--log-format=json", ...flags(dns)];
    await using gw = startProgram(process.execPath, [...run, `--state-file=${stateFile()}`]);
    await gw.printed(/state file ignored/);
    expect(gw.output).toContain("it is not JSON, or only a part of it");
    await gw.printed(/discovery failed/);
    expect(gw.output).not.toContain("ready to proxy");
    await dns.start();
    await gw.printed(/ready to proxy/);
    expect(gw.output).not.toContain("remembered");
  });

  test("endpoints that were found with other flags are not used", async () => {
    await remember(dns);
    await dns.stop();
    const others = flags(dns).map(flag => flag.replace("srv=example", "srv=example2"));
    const run = [bin, "start", "--listen-addr=127.0.0.1:0", "--log-format=json", ...others];
    await using gw = startProgram(process.execPath, [...run, `--state-file=${stateFile()}`]);
    await gw.printed(/state file ignored.*discovery failed/s);
    expect(gw.output).toContain(
      "found with --discovery-srv=example.com, not with --discovery-srv=example2.com",
    );
    expect(gw.output).not.toContain("remembered endpoints");
  });
});

describe("saving", () => {
  let backend: Backend;
  beforeEach(async () => {
    backend = await startBackend(echo);
  });
  afterEach(() => backend[Symbol.asyncDispose]());

  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    startGw([`--endpoints=127.0.0.1:${backend.port}`, "--health-check=tcp", ...args], {
      env: { ...process.env, ...env },
    });
  const saved = async (path: string) => JSON.parse(await readFile(path, "utf8"));

  test("happens while the gateway runs, in the folder that systemd gives it", async () => {
    await using gw = await start([], { STATE_DIRECTORY: `${folder}:/elsewhere` });
    await expect
      .poll(() => saved(stateFile()).catch(() => undefined), { timeout: 20_000 })
      .toMatchObject({
        discovery: `--endpoints=127.0.0.1:${backend.port}`,
        endpoints: [{ host: "127.0.0.1", port: backend.port }],
      });
    await terminate(gw);
  });

  test("does not happen with --state-file=off", async () => {
    await using gw = await start(["--state-file=off"], { STATE_DIRECTORY: folder });
    await request(gw);
    await terminate(gw);
    expect(await readdir(folder)).toEqual([]);
  });

  test("that fails is one warning, and the gateway serves and ends as usual", async () => {
    await using gw = await start([`--state-file=${folder}/missing/file`]);
    expect(await gw.logged(/^state file not written/)).toMatchObject({
      file: `${folder}/missing/file`,
      reason: "no such file or directory (ENOENT)",
    });
    await request(gw);
    await terminate(gw);
    expect(gw.log.filter(({ msg }) => msg.startsWith("state file"))).toHaveLength(1);
  });
});
