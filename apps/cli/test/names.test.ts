// Names that the system resolves, on a machine whose name servers are silent.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import {
  connectTo,
  createIsolation,
  echo,
  type Isolation,
  missing,
  noIsolation,
  outcome,
  type Program,
  runProgram,
  startBackend,
  startDnsServer,
  startGw,
  startProgram,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;

async function expectEcho(gw: { readonly port: number }): Promise<void> {
  const client = await connectTo(gw.port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
}

/** No server answers there, on the port that resolv.conf cannot change. */
async function startSilentDns(): Promise<Socket & { readonly host: string }> {
  for (let host = 1; ; host++) {
    const socket = createSocket("udp4");
    const address = `127.53.${process.pid % 250}.${host}`;
    try {
      socket.bind(53, address);
      await once(socket, "listening");
      return Object.assign(socket, { host: address });
    } catch (error) {
      if (host === 250) throw error;
    }
  }
}

describe.skipIf(noIsolation())("while name servers are silent", () => {
  let dns: Awaited<ReturnType<typeof startSilentDns>>;
  let machine: Isolation;

  /** By default a machine where the system waits for DNS longer than any test. */
  const createMachine = (nsswitch: string, options = "timeout:30 attempts:5"): Promise<Isolation> =>
    createIsolation({
      files: {
        "/etc/hosts": `127.0.0.1 localhost\n127.0.0.1 good.test\n`,
        "/etc/nsswitch.conf": `hosts: ${nsswitch}\n`,
        "/etc/resolv.conf": `nameserver ${dns.host}\noptions ${options}\n`,
      },
    });
  const start = (args: readonly string[], on = machine): Program => {
    const [command = "", ...rest] = on.commandPrefix;
    return startProgram(command, [...rest, process.execPath, bin, ...args]);
  };

  beforeAll(async () => {
    dns = await startSilentDns();
    // No system has such a module, so it goes on to DNS; but gw cannot exclude that the module has names that DNS has not.
    machine = await createMachine("files gwtest dns");
  });

  afterAll(async () => {
    dns.close();
    await machine?.[Symbol.asyncDispose]();
  });

  test.each([["files dns"], ["files gwtest dns"]])(
    "320 dead names hold back neither the start nor a good one: %s",
    async nsswitch => {
      await using backend = await startBackend(echo);
      await using own = await createMachine(nsswitch);
      const dead = Array.from({ length: 320 }, (_, index) => `dead${index}.test`);
      const flags = [`--endpoints=${dead},good.test:${backend.port}`, "--health-check=off"];
      await using gw = await startGw(flags, { commandPrefix: own.commandPrefix });
      await expectEcho(gw);
      await Promise.all(Array.from({ length: 20 }, () => expectEcho(gw)));
      // Each takes seconds.
      expect(gw.log.filter(line => /unresolved/.test(line.msg))).toEqual([]);
      gw.kill();
      expect(await gw.exit).toMatchObject({ code: 0 });
    },
  );

  test.each([
    [
      "the gateway, when it is stopped",
      ["--endpoints=dead.test,127.0.0.1:1", "--listen-addr=127.0.0.1:0"],
      0,
    ],
    ["a start that fails", ["--endpoints=dead.test,[::1]:1", "--listen-addr=192.0.2.1:1"], 1],
    ["a start that is refused", ["--endpoints=dead.test,127.0.0.1:23790"], 2],
    ["gw resolve, when it is stopped", ["resolve", "--endpoints=dead.test"], 0],
    ["gw check, when it is stopped", ["check", "--endpoints=dead.test"], 0],
  ])("a look-up that is under way does not delay the end of %s", async (_, args, code) => {
    await using gw = start(args);
    if (code === 0) {
      if (args[0] === "resolve" || args[0] === "check") await once(dns, "message");
      else await gw.printed(/ready to proxy/);
      gw.kill();
    }
    const ended = await gw.exit;
    expect(ended).toMatchObject({ code, signal: null });
    if (code > 0) expect(ended.stderr).toMatch(/^gw: error: [^\n]+\n$/m);
    if (args[0]?.startsWith("--endpoints") && code === 0) expect(ended.stderr).toMatch(/stopped/);
  });

  test("gw resolve prints the good ones, and that the others cannot be resolved", async () => {
    await using own = await createMachine("files dns", "timeout:1 attempts:1");
    const dead = Array.from({ length: 20 }, (_, index) => `dead${index}.test`);
    await using gw = start(["resolve", `--endpoints=good.test,${dead}`], own);
    const { code, stdout } = await gw.exit;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^good\.test:2379 .* 127\.0\.0\.1$/m);
    expect(stdout.match(/cannot be resolved/g)).toHaveLength(dead.length);
  });

  test("gw check looks up all names in parallel", async () => {
    await using own = await createMachine("files dns", "timeout:1 attempts:1");
    const dead = Array.from({ length: 48 }, (_, index) => `dead${index}.test`);
    await using gw = start(["check", `--endpoints=${dead},good.test:1`, "--health-check=off"], own);
    const { code, stderr } = await gw.exit;
    expect({ code, stderr }).toEqual({ code: 1, stderr: "gw: error: 49 of 49 endpoints cannot serve\n" });
  });

  test("a name that appears in the file of hosts later is used then", async () => {
    await using backend = await startBackend(echo);
    await using own = await createMachine("files [NOTFOUND=return] dns");
    const flags = [`--endpoints=later.test:${backend.port},127.0.0.1:1`, "--health-check=off"];
    await using gw = await startGw(flags, { commandPrefix: own.commandPrefix });
    await gw.logged(/endpoint unresolved/);
    await own.write("/etc/hosts", "127.0.0.1 LATER.test. # now\n");
    gw.kill("SIGHUP");
    await gw.logged(/endpoint resolved/);
    await expectEcho(gw);
  });
});

describe.skipIf(noIsolation() || missing("knotd", "knotc"))("targets of SRV records", () => {
  test("are looked up in the hosts file first", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({
      zone: `_etcd-client-ssl._tcp 60 SRV 0 0 ${backend.port} infra0\ninfra0 60 A 192.0.2.1`,
    });
    await using machine = await createIsolation({
      files: { "/etc/hosts": "127.0.0.1 other infra0.EXAMPLE.com\n" },
    });
    const flags = [
      "--discovery-srv=example.com",
      `--dns-server=127.0.0.1:${dns.address.port}`,
      "--health-check=off",
    ];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    await expectEcho(gw);
    const [command = "", ...rest] = machine.commandPrefix;
    const resolved = await runProgram(command, [
      ...rest,
      process.execPath,
      bin,
      "resolve",
      ...flags.slice(0, 2),
    ]);
    expect(resolved.stdout).toMatch(/^infra0\.example\.com:\d+ .* 127\.0\.0\.1$/m);
  });
});

describe.skipIf(noIsolation())("--listen-addr with a name", () => {
  test.each(["js", "native"])("listens at all of its addresses: %s relay", async relay => {
    await using backend = await startBackend(echo);
    const hosts = "127.0.0.1 gateway.test\n127.0.0.2 gateway.test\n192.0.2.1 gateway.test\n";
    await using machine = await createIsolation({ files: { "/etc/hosts": hosts } });
    const flags = [
      "--listen-addr=gateway.test:0",
      `--endpoints=127.0.0.1:${backend.port}`,
      `--relay=${relay}`,
    ];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    const { port } = gw;
    expect(await gw.logged(/ready/)).toMatchObject({ listen: [`127.0.0.1:${port}`, `127.0.0.2:${port}`] });
    expect(await gw.logged(/listen address skipped/)).toMatchObject({ address: `192.0.2.1:${port}` });
    await expectEcho(gw);
    const other = connect({ host: "127.0.0.2", port });
    other.end("hello");
    expect(await outcome(other)).toMatchObject({ received: Buffer.from("hello") });
  });

  test("at addresses of which one is in use is an error, exit code 1", async () => {
    await using taken = await startBackend();
    const hosts = "127.0.0.2 gateway.test\n127.0.0.1 gateway.test\n";
    await using machine = await createIsolation({ files: { "/etc/hosts": hosts } });
    const [command = "", ...rest] = machine.commandPrefix;
    const flags = [`--listen-addr=gateway.test:${taken.port}`, "--endpoints=127.0.0.1:1"];
    const ended = await runProgram(command, [...rest, process.execPath, bin, ...flags]);
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/listen on 127\.0\.0\.1.*in use/) });
  });
});

/** A server at another address of this machine. */
async function startEchoAt(host: string, port: number): Promise<AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, echo).listen(port, host);
  await once(server, "listening");
  return { [Symbol.asyncDispose]: async () => void server.close() };
}

/** Until a client is served. What moves takes a moment: DNS is asked at most once a second for one name. */
async function untilServed(gw: { readonly port: number }): Promise<void> {
  for (;;) {
    const client = await connectTo(gw.port);
    client.end("hello");
    if ((await outcome(client)).received.toString() === "hello") return;
  }
}

describe.skipIf(noIsolation() || missing("knotd", "knotc"))("a host that has moved is served", () => {
  const recordsOf = (port: number, address: string): string =>
    `_etcd-client-ssl._tcp 2147483647 SRV 0 0 ${port} infra0\ninfra0 2147483647 A ${address}`;

  test("by the next client where nothing answers at its old address, whatever the TTL", async () => {
    await using old = await startBackend(echo);
    await using moved = await startEchoAt("127.0.0.2", old.port);
    await using dns = await startDnsServer({ zone: recordsOf(old.port, "127.0.0.1") });
    const flags = ["--discovery-srv=example.com", `--dns-server=127.0.0.1:${dns.address.port}`];
    await using gw = await startGw([...flags, "--health-check=off", "--discovery-max-refresh=2h"]);
    await expectEcho(gw);
    await dns.update(recordsOf(old.port, "127.0.0.2"));
    await old.stop();
    await untilServed(gw);
    void moved;
  });

  test("within --discovery-max-refresh where another answers at its old address", async () => {
    await using old = await startBackend(socket => socket.end("another server"));
    await using moved = await startEchoAt("127.0.0.2", old.port);
    await using dns = await startDnsServer({ zone: recordsOf(old.port, "127.0.0.1") });
    const flags = ["--discovery-srv=example.com", `--dns-server=127.0.0.1:${dns.address.port}`];
    const refresh = ["--discovery-min-refresh=1s", "--discovery-max-refresh=1s"];
    await using gw = await startGw([...flags, ...refresh, "--health-check=off"]);
    await dns.update(recordsOf(old.port, "127.0.0.2"));
    await untilServed(gw);
    void moved;
  });

  test("that the file of hosts names, and that is given by its name", async () => {
    await using old = await startBackend(echo);
    await using moved = await startEchoAt("127.0.0.2", old.port);
    await using machine = await createIsolation({ files: { "/etc/hosts": "127.0.0.1 infra0.test\n" } });
    const flags = [`--endpoints=infra0.test:${old.port}`, "--health-check=off"];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    await expectEcho(gw);
    await machine.write("/etc/hosts", "127.0.0.2 infra0.test\n");
    await old.stop();
    await expectEcho(gw);
    void moved;
  });
});
