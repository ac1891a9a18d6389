import { once } from "node:events";
import type { Socket } from "node:net";
import type { Observer, RelayEnd } from "@gw/interface";
import {
  type Backend,
  connectTo,
  digestOf,
  echo,
  outcome,
  queue,
  sendRandom,
  startBackend,
} from "@gw/testing";
import { describe, expect, test } from "vitest";
import { createProxy, inOrder, streamRelay, type TcpProxy } from "./index.js";

/** A proxy in front of one backend, with its events to wait for. */
interface TestProxy extends AsyncDisposable {
  readonly proxy: TcpProxy;
  readonly port: number;
  /** A connection that the relay has taken over, or the next to come. */
  connected(): Promise<unknown>;
  /** How a connection ended, or the next to end. */
  ended(): Promise<RelayEnd>;
}

async function startProxy(backend: Backend): Promise<TestProxy> {
  const connected = queue<unknown>();
  const ended = queue<RelayEnd>();
  const observer: Observer = { connected: connected.put, closed: ended.put };
  const proxy = createProxy({
    listen: [{ host: "127.0.0.1", port: 0 }],
    pool: inOrder([backend.address]),
    relay: streamRelay(),
    observer,
  });
  const [address] = await proxy.listen();
  return {
    proxy,
    port: address?.port ?? 0,
    connected: connected.take,
    ended: ended.take,
    async [Symbol.asyncDispose]() {
      await proxy.close({ graceMs: 0 });
    },
  };
}

/** A client and the backend's side of its connection, through a proxy. */
async function connectThrough(
  proxy: TestProxy,
  backend: Backend,
): Promise<{ readonly client: Socket; readonly server: Socket }> {
  const [client, server] = await Promise.all([connectTo(proxy.port), backend.next(), proxy.connected()]);
  return { client, server };
}

describe("bytes", () => {
  test("256 MiB of random bytes both ways at once arrive whole", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    const size = 256 * 1024 * 1024;
    const [sentUp, sentDown, up, down, end] = await Promise.all([
      sendRandom(client, size),
      sendRandom(server, size),
      digestOf(server),
      digestOf(client),
      proxy.ended(),
    ]);
    expect(up).toEqual({ digest: sentUp, bytes: size });
    expect(down).toEqual({ digest: sentDown, bytes: size });
    expect(end).toMatchObject({ reason: "finished", bytesFromClient: size, bytesFromBackend: size });
  });

  test("what a client sends before its backend is connected arrives", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const client = await connectTo(proxy.port);
    client.end("early");
    const server = await backend.next();
    expect(await outcome(server)).toEqual({ received: Buffer.from("early"), end: "end" });
    server.end();
    expect(await outcome(client)).toMatchObject({ end: "end" });
    expect(await proxy.ended()).toMatchObject({ reason: "finished", bytesFromClient: 5 });
  });

  test("2,000 connections at once each get their own bytes back", async () => {
    await using backend = await startBackend(echo);
    await using proxy = await startProxy(backend);
    const roundTrip = async (index: number): Promise<void> => {
      const client = await connectTo(proxy.port);
      client.end(`connection ${index}`);
      expect(await outcome(client)).toEqual({ received: Buffer.from(`connection ${index}`), end: "end" });
    };
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => roundTrip(index)));
    while (proxy.proxy.connections > 0) await proxy.ended();
    expect(backend.accepted).toBe(2_000);
  });
});

describe("half-close", () => {
  test("a client that ends its output still gets the answer", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    client.end("question");
    expect(await outcome(server)).toEqual({ received: Buffer.from("question"), end: "end" });
    server.write("answer, ");
    expect(String((await once(client, "data"))[0])).toBe("answer, ");
    server.end("end");
    expect(await outcome(client)).toEqual({ received: Buffer.from("end"), end: "end" });
    expect(await proxy.ended()).toMatchObject({ reason: "finished" });
  });

  test("a backend that ends its output still gets what the client sends", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    server.end("greeting");
    expect(await outcome(client)).toEqual({ received: Buffer.from("greeting"), end: "end" });
    client.write("still ");
    expect(String((await once(server, "data"))[0])).toBe("still ");
    client.end("here");
    expect(await outcome(server)).toEqual({ received: Buffer.from("here"), end: "end" });
    expect(await proxy.ended()).toMatchObject({ reason: "finished" });
  });
});

describe("reset", () => {
  test("a backend's reset reaches the client as a reset", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    server.write("partial");
    await once(client, "data");
    server.resetAndDestroy();
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await proxy.ended()).toMatchObject({ reason: "backend-failed", error: { code: "reset" } });
  });

  test("a client's reset reaches the backend as a reset", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    client.write("partial");
    await once(server, "data");
    client.resetAndDestroy();
    expect(await outcome(server)).toMatchObject({ end: "ECONNRESET" });
    expect(await proxy.ended()).toMatchObject({ reason: "client-failed", error: { code: "reset" } });
  });

  test("a backend's reset reaches a client that has ended its output", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    client.end("question");
    await outcome(server);
    server.resetAndDestroy();
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await proxy.ended()).toMatchObject({ reason: "backend-failed" });
  });

  test("a client that is gone is seen by a backend that goes on sending after the client's end", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    client.end("question");
    await outcome(server);
    client.resetAndDestroy();
    const failed = outcome(server);
    const sending = setInterval(() => server.write("answer"), 1);
    server.once("close", () => clearInterval(sending));
    expect((await failed).end).toMatch(/ECONNRESET|EPIPE/);
    expect(await proxy.ended()).toMatchObject({ reason: "client-failed" });
  });

  test("a reset that comes together with the last bytes is still a reset", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    server.write("partial");
    server.resetAndDestroy();
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await proxy.ended()).toMatchObject({ reason: "backend-failed", error: { code: "reset" } });
  });

  test("a reset that comes together with the last bytes is a reset also after the client's end", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    client.end("question");
    await outcome(server);
    server.write("partial");
    server.resetAndDestroy();
    expect(await proxy.ended()).toMatchObject({ reason: "backend-failed", error: { code: "reset" } });
  });

  test("a client's reset is passed on to a backend that does not read", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    server.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    while (client.write(chunk));
    client.resetAndDestroy();
    // The proxy, which cannot read on, learns of the reset when it writes.
    const sending = setInterval(() => server.write("are you there?"), 1);
    server.once("close", () => clearInterval(sending));
    expect(await proxy.ended()).toMatchObject({ reason: "client-failed" });
    expect((await outcome(server)).end).toMatch(/ECONNRESET|EPIPE/);
  });

  test("a reset is possible while the end of a side's input waits for a slow reader", async () => {
    await using near = await startBackend();
    await using far = await startBackend();
    const client = await connectTo(near.port);
    const clientSide = await near.next();
    const backendSide = await connectTo(far.port);
    const server = await far.next();
    server.pause();
    const clientEnd = outcome(client);
    const ended = new Promise<RelayEnd>(resolve => {
      const connection = streamRelay().start(clientSide, backendSide, resolve);
      clientSide.once("end", () => {
        expect(backendSide.writableLength).toBeGreaterThan(0);
        connection.kill();
      });
    });
    while (backendSide.writableLength === 0) {
      client.write(Buffer.alloc(4096));
      await once(clientSide, "data");
    }
    client.end();
    expect(await ended).toMatchObject({ reason: "killed" });
    expect(await outcome(server)).toMatchObject({ end: "ECONNRESET" });
    expect(await clientEnd).toMatchObject({ end: "ECONNRESET" });
  });

  test("closing the proxy without grace resets both sides", async () => {
    await using backend = await startBackend();
    await using proxy = await startProxy(backend);
    const { client, server } = await connectThrough(proxy, backend);
    const ends = Promise.all([outcome(client), outcome(server)]);
    expect(await proxy.proxy.close({ graceMs: 0 })).toEqual({ cut: 1 });
    expect((await ends).map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(await proxy.ended()).toMatchObject({ reason: "killed" });
  });
});

test("a slow reader slows its sender down, and nothing is lost", async () => {
  await using backend = await startBackend();
  await using proxy = await startProxy(backend);
  const { client, server } = await connectThrough(proxy, backend);
  const size = 192 * 1024 * 1024;
  const sent = sendRandom(server, size);
  let received = 0;
  let mostUnderWay = 0;
  client.on("data", chunk => {
    received += chunk.length;
    mostUnderWay = Math.max(mostUnderWay, server.bytesWritten - server.writableLength - received);
    client.pause();
    setImmediate(() => client.resume());
  });
  await Promise.all([sent, once(client, "end")]);
  client.end();
  expect(received).toBe(size);
  // What the kernel's buffers of four sockets hold, and no more than a little of it in the proxy.
  expect(mostUnderWay).toBeLessThan(64 * 1024 * 1024);
  expect(await proxy.ended()).toMatchObject({ reason: "finished", bytesFromBackend: size });
});
