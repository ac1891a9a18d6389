// The access log of real gateways: how connections end, on both relays, and what happens to the file.
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  connectTo,
  echo,
  freePort,
  type Gw,
  outcome,
  runGw,
  startBackend,
  startBlackHole,
  startGw,
} from "@gw/testing";
import { describe, expect, onTestFinished, test } from "vitest";

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gw-access-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

type Record = { readonly end: string; readonly [field: string]: unknown };

async function recordsIn(file: string): Promise<readonly Record[]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map(line => JSON.parse(line));
}

/** Waits until there are records. */
async function records(file: string, count = 1): Promise<readonly Record[]> {
  for (;;) {
    const found = await recordsIn(file).catch(() => []);
    if (found.length >= count) return found;
    await sleep(20);
  }
}

async function establish(gw: Gw): Promise<Socket> {
  const client = await connectTo(gw.port);
  client.on("error", () => {});
  client.write("hello");
  await once(client, "data");
  return client;
}

/** A gateway with an access log. */
async function start(file: string, flags: readonly string[]): Promise<Gw> {
  return await startGw(["--health-check=off", `--access-log=${file}`, "--log-format=json", ...flags]);
}

describe.each(["native", "js"])("with the %s relay", relay => {
  interface Ending {
    readonly flags?: readonly string[];
    /** Ends a connection that was established. */
    readonly act?: (client: Socket, backend: Socket, gw: Gw) => unknown;
  }

  test.each<[string, Ending]>([
    ["finished", { act: client => client.end() }],
    ["client-reset", { act: client => client.resetAndDestroy() }],
    ["endpoint-reset", { act: (_, backend) => backend.resetAndDestroy() }],
    ["idle-timeout", { flags: ["--idle-timeout=200ms"] }],
    ["half-close-timeout", { flags: ["--half-close-timeout=200ms"], act: client => client.end() }],
    ["too-old", { flags: ["--max-connection-age=300ms"] }],
    ["shutdown", { flags: ["--shutdown-grace=50ms"], act: (_, __, gw) => gw.child.kill("SIGTERM") }],
  ])("a connection ends as %s", async (end, { flags = [], act }) => {
    const file = join(await temporary(), "access.log");
    const holdsOpen = end === "half-close-timeout";
    await using backend = await startBackend(socket => {
      socket.on("error", () => {});
      if (holdsOpen) socket.on("data", data => socket.write(data));
      else echo(socket);
    });
    const endpoint = `127.0.0.1:${backend.port}`;
    await using gw = await start(file, [`--endpoints=${endpoint}`, `--relay=${relay}`, ...flags]);
    const client = await establish(gw);
    const local = `127.0.0.1:${client.localPort}`;
    const [served] = backend.sockets;
    act?.(client, served as Socket, gw);
    expect(await records(file)).toMatchObject([
      {
        connection: 1,
        client: local,
        listener: gw.address,
        endpoint,
        tries: 1,
        dialMs: expect.any(Number),
        durationMs: expect.any(Number),
        bytesFromClient: 5,
        bytesFromBackend: 5,
        end,
      },
    ]);
    client.destroy();
  });

  test("a client that blocks ends as write-timeout", async () => {
    const file = join(await temporary(), "access.log");
    await using backend = await startBackend(socket => {
      socket.on("error", () => {});
      const data = Buffer.alloc(1 << 20);
      const more = (): void => void socket.write(data, error => !error && more());
      more();
    });
    await using gw = await start(file, [
      `--endpoints=127.0.0.1:${backend.port}`,
      `--relay=${relay}`,
      "--write-timeout=300ms",
    ]);
    const client = await connectTo(gw.port);
    client.on("error", () => {});
    client.pause();
    expect(await records(file)).toMatchObject([{ end: "write-timeout" }]);
    client.destroy();
  });

  test("clients that are not served have a record", async () => {
    const file = join(await temporary(), "access.log");
    const down = await freePort();
    await using gw = await start(file, [`--endpoints=127.0.0.1:${down}`, `--relay=${relay}`]);
    await outcome(await connectTo(gw.port));
    const [failed] = await records(file);
    expect(failed).toMatchObject({ end: "dial-failed", tries: 1, listener: gw.address, bytesFromClient: 0 });
    expect(failed?.["reason"]).toContain("connection refused");
    expect(failed).not.toHaveProperty("endpoint");
  });

  test("a client that leaves while its endpoint is dialled ends as client-left", async () => {
    const file = join(await temporary(), "access.log");
    await using hole = await startBlackHole();
    await using gw = await start(file, [
      `--endpoints=127.0.0.1:${hole.port}`,
      `--relay=${relay}`,
      "--connect-timeout=30s",
    ]);
    const client = await connectTo(gw.port);
    await gw.logged(/accepted/);
    client.resetAndDestroy();
    expect(await records(file)).toMatchObject([{ end: "client-left", client: expect.any(String) }]);
  });

  test("a client above the limit ends as refused", async () => {
    const file = join(await temporary(), "access.log");
    await using backend = await startBackend(echo);
    await using gw = await start(file, [
      `--endpoints=127.0.0.1:${backend.port}`,
      `--relay=${relay}`,
      "--max-connections=1",
    ]);
    const client = await establish(gw);
    connect(gw.port, "127.0.0.1").on("error", () => {});
    const [first] = await records(file);
    expect(first).toMatchObject({ end: "refused", listener: gw.address, tries: 0 });
    // It may have left before its address was read.
    expect(first?.["client"] ?? gw.address).toMatch(/^127\.0\.0\.1:\d+$/);
    client.destroy();
  });

  test("a connection to an endpoint that is removed ends as removed", async () => {
    const folder = await temporary();
    const [file, endpoints] = [join(folder, "access.log"), join(folder, "endpoints.yaml")];
    await using one = await startBackend(echo);
    await using other = await startBackend(echo);
    await writeFile(endpoints, `- 127.0.0.1:${one.port}\n`);
    await using gw = await start(file, [
      `--endpoints-file=${endpoints}`,
      `--relay=${relay}`,
      "--on-removed=close",
    ]);
    await establish(gw);
    await writeFile(endpoints, `- 127.0.0.1:${other.port}\n`);
    expect(await records(file)).toMatchObject([
      { end: "removed", reason: expect.stringMatching(/no longer/) },
    ]);
  });
});

describe("the file", () => {
  test("is opened again by SIGUSR1 and SIGHUP, and no record is lost", async () => {
    const folder = await temporary();
    const file = join(folder, "access.log");
    await using backend = await startBackend(echo);
    await using gw = await start(file, [`--endpoints=127.0.0.1:${backend.port}`]);
    const connect = async (): Promise<void> => {
      const client = await establish(gw);
      client.end();
      await outcome(client);
    };
    let reopened = 0;
    for (const signal of ["SIGUSR1", "SIGHUP"] as const) {
      await connect();
      await rename(file, `${file}.${signal}`);
      gw.child.kill(signal);
      reopened += 1;
      while (gw.log.filter(({ msg }) => msg === "access log reopened").length < reopened)
        await once(gw.child, "printed");
      await connect();
    }
    gw.child.kill("SIGTERM");
    await gw.exit;
    const files = [`${file}.SIGUSR1`, `${file}.SIGHUP`, file];
    const found = await Promise.all(files.map(recordsIn));
    expect(
      found
        .flat()
        .map(({ connection }) => connection)
        .sort(),
    ).toEqual([1, 2, 3, 4]);
    expect(found[2]?.length).toBeGreaterThan(0);
    expect((await stat(file)).mode & 0o777 & ~0o640).toBe(0);
    expect(gw.log.some(({ msg }) => msg === "signal ignored")).toBe(false);
  });

  test("that cannot be opened again stays in use", async () => {
    const folder = await temporary();
    const [inner, file] = [join(folder, "a"), join(folder, "a", "access.log")];
    await mkdir(inner);
    await using backend = await startBackend(echo);
    await using gw = await start(file, [`--endpoints=127.0.0.1:${backend.port}`]);
    await rename(inner, join(folder, "b"));
    gw.child.kill("SIGUSR1");
    expect(await gw.logged(/access log not reopened/)).toMatchObject({
      file,
      reason: expect.stringContaining("ENOENT"),
    });
    (await establish(gw)).end();
    expect(await records(join(folder, "b", "access.log"))).toMatchObject([{ end: "finished" }]);
  });

  test.runIf(process.platform === "linux")(
    "on a full disk is a warning, and clients are served",
    async () => {
      await using backend = await startBackend(echo);
      await using gw = await start("/dev/full", [`--endpoints=127.0.0.1:${backend.port}`]);
      (await establish(gw)).end();
      expect(await gw.logged(/access log not written/)).toMatchObject({
        file: "/dev/full",
        reason: "no space left on device (ENOSPC)",
      });
      (await establish(gw)).end();
      gw.child.kill("SIGTERM");
      expect(await gw.exit).toMatchObject({ code: 0 });
    },
  );

  test.each([
    [
      "/nowhere/access.log",
      /--access-log "\/nowhere\/access\.log" cannot be opened: no such file.*; give a file/,
    ],
    [tmpdir(), /cannot be opened: .*EISDIR/],
    ["", /Give a file/],
  ])("%j is bad usage", async (file, message) => {
    const { code, stderr } = await runGw([`--access-log=${file}`, "--listen-addr=127.0.0.1:0"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("- is standard output, in the format of the log", async () => {
    await using backend = await startBackend(echo);
    const flags = ["--listen-addr=127.0.0.1:0", `--endpoints=127.0.0.1:${backend.port}`];
    await using gw = await startGw([...flags, "--access-log=-"]);
    (await establish(gw)).end();
    await gw.printed(/"end":"finished"/);
    gw.child.kill("SIGTERM");
    const { stdout } = await gw.exit;
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map(line => JSON.parse(line).end),
    ).toEqual(["finished"]);
  });
});
