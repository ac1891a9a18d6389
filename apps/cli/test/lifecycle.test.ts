import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import {
  connectTo,
  echo,
  freePort,
  type Gw,
  missing,
  outcome,
  startBackend,
  startBlackHole,
  startGw,
  startProgram,
} from "@gw/testing";
import { describe, expect, test } from "vitest";

/** Sends `text` through the gateway to an echo server and expects it back. */
async function expectEcho(gw: { readonly port: number }, text: string): Promise<void> {
  const client = await connectTo(gw.port);
  client.end(text);
  expect(await outcome(client)).toEqual({ received: Buffer.from(text), end: "end" });
}

/** A connection through the gateway that is known to be established. */
async function establish(gw: Gw): Promise<Socket> {
  const client = await connectTo(gw.port);
  client.write("hello");
  await once(client, "data");
  return client;
}

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s drains: no new clients, open ones to their end, exit 0",
    async signal => {
      await using backend = await startBackend(echo);
      await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--shutdown-grace=1h"]);
      const client = await establish(gw);
      gw.kill(signal);
      expect(await gw.logged(/draining/)).toMatchObject({ signal, connections: 1, grace: "1h" });
      await expect(connectTo(gw.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
      client.end(" to the end");
      expect(await outcome(client)).toEqual({ received: Buffer.from(" to the end"), end: "end" });
      expect(await gw.exit).toMatchObject({ code: 0 });
      expect(await gw.logged(/stopped/)).toMatchObject({ cut: 0 });
    },
  );

  test("what is open when the grace ends is cut with a reset, and counted", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--shutdown-grace=50ms"]);
    const clients = [await establish(gw), await establish(gw)];
    const ends = Promise.all(clients.map(outcome));
    gw.kill();
    expect((await ends).map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(await gw.exit).toMatchObject({ code: 0 });
    expect(await gw.logged(/stopped/)).toMatchObject({ cut: 2 });
  });

  test("a second signal ends at once, with exit code 0", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--shutdown-grace=1h"]);
    const client = await establish(gw);
    const ended = outcome(client);
    gw.kill();
    await gw.logged(/draining/);
    // A signal close behind the first is the same request, so it is repeated as by an impatient person.
    const impatient = setInterval(() => gw.kill(), 20);
    expect(await ended).toMatchObject({ end: "ECONNRESET" });
    clearInterval(impatient);
    expect(await gw.exit).toMatchObject({ code: 0 });
    expect(await gw.logged(/stopped/)).toMatchObject({ cut: 1 });
  });

  test("an idle gateway stops at once", async () => {
    await using gw = await startGw(["--shutdown-grace=1h"]);
    gw.kill();
    expect(await gw.exit).toMatchObject({ code: 0 });
  });
});

test("with an endpoint that drops packets, every client is served, and it gets no more dials", async () => {
  await using backend = await startBackend(echo);
  await using hole = await startBlackHole();
  // Which of the two is picked first is chance; the second gateway has no choice at first.
  for (const endpoints of [
    `127.0.0.1:${hole.port},127.0.0.1:${backend.port}`,
    `127.0.0.1:${hole.port},127.0.0.1:${await freePort()},127.0.0.1:${backend.port}`,
  ]) {
    await using gw = await startGw([
      `--endpoints=${endpoints}`,
      "--connect-timeout=300ms",
      "--retry-delay=1h",
    ]);
    await Promise.all(Array.from({ length: 50 }, (_, index) => expectEcho(gw, `client ${index}`)));
    await expectEcho(gw, "one more");
    const failures = gw.log.filter(line => line.msg === "endpoint down");
    expect(new Set(failures.map(line => line["endpoint"])).size).toBe(failures.length);
  }
});

test("slow readers cost the gateway a bounded amount of memory", async () => {
  const size = 16 * 1024 * 1024;
  await using backend = await startBackend(socket => socket.end(Buffer.alloc(size)));
  await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`]);
  const before = residentBytes(gw.pid);
  let most = 0;
  const readSlowly = async (): Promise<void> => {
    const client = await connectTo(gw.port);
    let received = 0;
    for await (const chunk of client) {
      received += chunk.length;
      most = Math.max(most, residentBytes(gw.pid));
      await setImmediate();
    }
    client.end();
    expect(received).toBe(size);
  };
  await Promise.all(Array.from({ length: 40 }, readSlowly));
  // 640 MiB went through; what 40 connections may hold is a read and a write buffer each.
  expect(most - before).toBeLessThan(160 * 1024 * 1024);
});

/** Whether a client gets an answer, rather than being closed or reset. */
function isServed(client: Socket): Promise<boolean> {
  return new Promise(resolve => {
    client.once("data", () => resolve(true)).once("close", () => resolve(false));
    client.write("are you there?");
  });
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

describe.skipIf(missing("bash"))("file descriptors", () => {
  test("with ulimit -n 256: the established live on, clients beyond are refused, room is used again", async () => {
    await using backend = await startBackend(echo);
    const bin = new URL("../bin/gw.js", import.meta.url).pathname;
    const command = `ulimit -n 256; exec ${process.execPath} ${bin} --listen-addr=127.0.0.1:0 --endpoints=127.0.0.1:${backend.port}`;
    await using gw = startProgram("bash", ["-c", command]);
    const ready = await gw.printed(/"listen":\["127\.0\.0\.1:(\d+)"\].*"maxConnections":(\d+)/);
    const [port, limit] = [Number(ready[1]), Number(ready[2])];
    expect(limit).toBe(96);

    const clients = await Promise.allSettled(Array.from({ length: 300 }, () => connectTo(port)));
    const connected = clients.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
    const answered = await Promise.all(connected.map(isServed));
    const served = connected.filter((_, index) => answered[index]);
    expect(served).toHaveLength(limit);
    expect(gw.output.match(/connection limit reached/g)).toHaveLength(1);

    for (const client of served) {
      client.end("still");
      expect((await outcome(client)).received.toString()).toBe("still");
    }
    await expectEcho({ port }, "room again");
    expect(gw.child.exitCode).toBeNull();
  });
});

describe.skipIf(missing("systemd-notify", "socat"))("under systemd", () => {
  test("the service manager is notified of readiness and stopping", async () => {
    const { mkdtemp, rm } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(`${tmpdir()}/gw-notify-`);
    const socket = `${folder}/notify.sock`;
    await using receiver = startProgram("socat", ["-u", "-d", "-d", `UNIX-RECV:${socket}`, "STDOUT"]);
    await receiver.printed(/starting data transfer/);
    await using gw = await startGw([], { env: { NOTIFY_SOCKET: socket } });
    await receiver.printed(/READY=1/);
    // systemd knows a reload by its time, and wants no older one.
    gw.kill("SIGHUP");
    await receiver.printed(/RELOADING=1\nMONOTONIC_USEC=\d+[\s\S]*READY=1/);
    gw.kill();
    await receiver.printed(/STOPPING=1/);
    expect(await gw.exit).toMatchObject({ code: 0 });
    await rm(folder, { recursive: true });
  });

  test.skipIf(process.platform !== "linux")(
    "no program is needed for that, nor a path; a watchdog gets signs of life",
    async () => {
      const name = `gw-test-${process.pid}`;
      await using receiver = startProgram("socat", ["-u", "-d", "-d", `ABSTRACT-RECV:${name}`, "STDOUT"]);
      await receiver.printed(/starting data transfer/);
      const env = { NOTIFY_SOCKET: `@${name}`, WATCHDOG_USEC: "100000", PATH: "/nowhere" };
      await using gw = await startGw([], { env });
      await receiver.printed(/READY=1\nSTATUS=serving on /);
      await receiver.printed(/WATCHDOG=1[\s\S]*WATCHDOG=1/);
      expect(gw.output).not.toContain("service manager unreachable");
    },
  );

  test("without the native addon systemd-notify notifies, and gets no secrets", async () => {
    const { mkdtemp, readFile, rm, writeFile } = await import("node:fs/promises");
    const { tmpdir } = await import("node:os");
    const folder = await mkdtemp(`${tmpdir()}/gw-notify-`);
    // One file for each notification, named by its state, which appears only when it is whole.
    const script = `{ echo "$@"; /usr/bin/env; } > "${folder}/$2.part"; /bin/mv "${folder}/$2.part" "${folder}/$2"`;
    await writeFile(`${folder}/systemd-notify`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const received = async (state: string): Promise<string> => {
      while (!existsSync(`${folder}/${state}`)) await sleep(10);
      return readFile(`${folder}/${state}`, "utf8");
    };
    await using backend = await startBackend(echo);
    const env = { NOTIFY_SOCKET: "vsock:2:1234", PATH: folder, SOME_PASSWORD: "secret" };
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, "--shutdown-grace=1h"], { env });
    const client = await establish(gw);
    const ready = await received("READY=1");
    gw.kill();
    const stopping = await received("STOPPING=1");
    for (const text of [ready, stopping]) {
      expect(text).toContain("NOTIFY_SOCKET=vsock:2:1234");
      // The shell adds those of its own.
      const names = text.split("\n").flatMap(line => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
      expect(names.filter(name => !/^(PWD|OLDPWD|SHLVL|_)$/.test(name)).sort()).toEqual([
        "NOTIFY_SOCKET",
        "PATH",
      ]);
    }
    client.destroy();
    expect(await gw.exit).toMatchObject({ code: 0 });
    await rm(folder, { recursive: true });
  });

  test("systemd-notify missing is a warning, not a failure", async () => {
    await using gw = await startGw([], { env: { NOTIFY_SOCKET: "/nowhere", PATH: "/nowhere" } });
    const reason = expect.stringContaining("notify the service manager: ENOENT");
    expect(await gw.logged(/service manager unreachable/)).toMatchObject({
      level: "warn",
      ...(process.platform === "linux" && { reason }),
    });
  });
});

test("text logs are for people: one line each, no colour where stderr is not a terminal", async () => {
  const bin = new URL("../bin/gw.js", import.meta.url).pathname;
  await using gw = startProgram(process.execPath, [bin, "--log-format=text", "--listen-addr=127.0.0.1:0"]);
  await gw.printed(/ready to proxy client requests/);
  gw.kill();
  const { stderr } = await gw.exit;
  expect(stderr).toMatch(
    /^[\dT:.-]+Z INFO {2}ready to proxy client requests endpoints=\S+ listen=127\.0\.0\.1:\d+ /m,
  );
  expect(stderr.split("\n").filter(line => line && !/^[\dT:.-]+Z (?:INFO |WARN ) \S/.test(line))).toEqual([]);
  expect(stderr).not.toContain("\u001b");
});

test("a log that is not read for a while delays nothing", async () => {
  await using backend = await startBackend(echo);
  const port = await freePort();
  const bin = new URL("../bin/gw.js", import.meta.url).pathname;
  // The reader holds the pipe open and never reads; a pipe takes 64 KiB.
  const command = `exec 3>&2; { ${process.execPath} ${bin} --log-level=debug --listen-addr=127.0.0.1:${port} --endpoints=127.0.0.1:${backend.port} 2>&1 & echo "pid $!" >&3; wait; echo "code $?" >&3; } | sleep 1000`;
  await using gw = startProgram("bash", ["-c", command], { detached: true });
  const pid = Number((await gw.printed(/pid (\d+)/))[1]);
  const isUp = (): Promise<boolean> =>
    connectTo(port).then(
      socket => !!socket.destroy(),
      () => false,
    );
  while (!(await isUp()));
  for (let client = 0; client < 400; client++) await expectEcho({ port }, `client ${client}`);
  process.kill(pid, "SIGTERM");
  await gw.printed(/code/);
});

test("a log without a reader does not stop the gateway", async () => {
  await using backend = await startBackend(echo);
  const port = await freePort();
  const bin = new URL("../bin/gw.js", import.meta.url).pathname;
  const command = `${process.execPath} ${bin} --log-level=debug --listen-addr=127.0.0.1:${port} --endpoints=127.0.0.1:${backend.port} 2>&1 | head -n 2 >&2; sleep 1000`;
  await using gw = startProgram("sh", ["-c", command], { detached: true });
  await gw.printed(/ready/);
  for (const text of ["one", "two", "three"]) await expectEcho({ port }, text);
});
