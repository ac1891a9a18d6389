// Endpoints behind something that accepts connections for them and ends them when they are dead.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Backend,
  connectTo,
  freePort,
  type Gw,
  missing,
  outcome,
  startBackend,
  startGw,
  startProgram,
} from "@gw/testing";
import { describe, expect, test } from "vitest";

/** A server that answers as a healthy etcd of before 3.5 does. */
async function startAnswering(port = 0): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((_, response) => response.end('{"health":"true"}')).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A forwarder that accepts clients even if it cannot connect to `target`. */
async function startForwarder(target: number): Promise<{ readonly port: number } & AsyncDisposable> {
  const port = await freePort();
  const program = startProgram("socat", [
    "-d",
    "-d",
    `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`,
    `TCP:127.0.0.1:${target}`,
  ]);
  await program.printed(/listening on/);
  return Object.assign(program, { port });
}

/** How many of so many clients, one after the other, get no answer. */
async function unserved(gw: Gw, clients: number): Promise<number> {
  let count = 0;
  for (let client = 0; client < clients; client++) {
    // It may be reset before this side has seen that it was accepted.
    const socket = await connectTo(gw.port).catch(() => undefined);
    if (!socket) {
      count += 1;
      continue;
    }
    socket.write("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const { received } = await outcome(socket);
    socket.destroy();
    if (received.length === 0) count += 1;
  }
  return count;
}

/** Three in a row mark an endpoint down; one more may find it out when it was tried again. */
const most = 4;

describe.skipIf(missing("socat"))("an endpoint behind a forwarder", () => {
  const common = ["--selector=round-robin", "--retry-delay=1h", "--log-level=info"];
  const cases = [
    ["js", "auto"],
    ["js", "etcd"],
    ["js", "http"],
    ["js", "tcp"],
    ["js", "off"],
    ["native", "auto"],
    ["native", "off"],
  ] as const;

  test.each(cases)(
    "that has no backend at the start loses few clients: %s relay, %s checks",
    async (relay, how) => {
      await using forwarder = await startForwarder(await freePort());
      await using member = await startAnswering();
      const endpoints = `--endpoints=127.0.0.1:${forwarder.port},127.0.0.1:${member.port}`;
      await using gw = await startGw([endpoints, `--relay=${relay}`, `--health-check=${how}`, ...common]);
      expect(await unserved(gw, 100)).toBeLessThanOrEqual(most);
      expect(await gw.logged(/endpoint down/)).toMatchObject({
        endpoint: `127.0.0.1:${forwarder.port}`,
      });
      expect(gw.log.filter(({ msg }) => msg === "endpoint up")).toEqual([]);
    },
  );

  test.each(cases)("that fails later gets no clients for long: %s relay, %s checks", async (relay, how) => {
    const behind = await startAnswering();
    try {
      await using forwarder = await startForwarder(behind.port);
      await using member = await startAnswering();
      const endpoints = `--endpoints=127.0.0.1:${forwarder.port},127.0.0.1:${member.port}`;
      await using gw = await startGw([endpoints, `--relay=${relay}`, `--health-check=${how}`, ...common]);
      expect(await unserved(gw, 10)).toBe(0);
      await behind[Symbol.asyncDispose]();
      expect(await unserved(gw, 100)).toBeLessThanOrEqual(most);
      await gw.logged(/endpoint down/);
    } finally {
      await behind[Symbol.asyncDispose]();
    }
  });

  test("is used again when its server is up again, and not before", async () => {
    const target = await freePort();
    await using forwarder = await startForwarder(target);
    await using member = await startAnswering();
    const endpoints = `--endpoints=127.0.0.1:${forwarder.port},127.0.0.1:${member.port}`;
    const quick = ["--selector=round-robin", "--retry-delay=200ms", "--max-retry-delay=200ms"];
    await using gw = await startGw([endpoints, "--health-check=off", ...quick]);
    expect(await unserved(gw, 20)).toBeLessThanOrEqual(most);
    await gw.logged(/endpoint still down/);
    expect(gw.log.filter(({ msg }) => msg === "endpoint up")).toEqual([]);
    await using _behind = await startAnswering(target);
    await gw.logged(/endpoint up/);
    expect(await unserved(gw, 10)).toBe(0);
  });
});

describe.each(["js", "native"])("with the %s relay and without health checks", relay => {
  const start = (endpoints: readonly { readonly port: number }[], ...more: readonly string[]): Promise<Gw> =>
    startGw([
      `--endpoints=${endpoints.map(({ port }) => `127.0.0.1:${port}`)}`,
      `--relay=${relay}`,
      "--selector=round-robin",
      "--health-check=off",
      "--retry-delay=1h",
      ...more,
    ]);

  test.each<readonly [string, Parameters<typeof startBackend>[0]]>([
    ["reads what a client sends and ends", socket => void socket.once("data", () => socket.end())],
    [
      "reads what a client sends and resets",
      socket => void socket.once("data", () => socket.resetAndDestroy()),
    ],
    ["ends at once", socket => void socket.end()],
    ["resets at once", socket => void socket.resetAndDestroy()],
  ])("an endpoint that %s gets no clients for long", async (_, onConnection) => {
    await using mute = await startBackend(onConnection);
    await using member = await startAnswering();
    await using gw = await start([mute, member]);
    expect(await unserved(gw, 60)).toBeLessThanOrEqual(most);
  });

  test("the last endpoint is used even if it fails", async () => {
    await using mute = await startBackend(socket => void socket.end());
    await using gw = await start([mute]);
    expect(await unserved(gw, 10)).toBe(10);
    expect(gw.log.filter(({ msg }) => msg === "endpoint down")).toEqual([]);
  });

  test("clients that leave first do not count against an endpoint", async () => {
    await using quiet = await startBackend(socket => socket.on("end", () => socket.end()).resume());
    await using gw = await start([quiet, await startAnswering()]);
    await clientsLeave(gw, quiet, 10);
    expect(gw.log.filter(({ msg }) => msg === "endpoint down")).toEqual([]);
  });
});

/** So many clients and more end or reset their connections to `quiet` before it has sent a byte. */
async function clientsLeave(gw: Gw, quiet: Backend, clients: number): Promise<void> {
  for (let client = 0; quiet.accepted < clients; client++) {
    const socket = await connectTo(gw.port);
    if (client % 4 < 2) {
      socket.end("x");
      await outcome(socket);
    } else socket.resetAndDestroy();
  }
}
