// The events of clients that have ended have all fields, however they ended.
import { once } from "node:events";
import { type Observer, type Relay, systemClock } from "@gw/interface";
import { connectTo, echo, freePort, outcome, queue, startBackend, startBlackHole } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, createProxy, inOrder, jsRelay, type ProxyOptions } from "./index.js";

type Closed = Parameters<NonNullable<Observer["closed"]>>[0];
type Unserved = Parameters<NonNullable<Observer["unserved"]>>[0];

async function startProxy(options: Omit<ProxyOptions, "listen" | "observer">, ignoresClients = false) {
  const [closed, unserved, accepted] = [queue<Closed>(), queue<Unserved>(), queue<number>()];
  const connected = queue<number>();
  const proxy = createProxy({
    ...options,
    listen: [{ host: "127.0.0.1", port: 0 }],
    observer: {
      ignoresClients,
      closed: closed.put,
      unserved: unserved.put,
      connected: ({ connection }) => connected.put(connection),
      ...(ignoresClients ? {} : { accepted: ({ connection }) => accepted.put(connection) }),
    },
  });
  const [{ port } = { port: 0 }] = await proxy.listen();
  return {
    proxy,
    port,
    closed,
    unserved,
    accepted,
    connected,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** A clock whose time is set by the test. */
function clockAt(times: { now: number }): ProxyOptions["clock"] {
  return { ...systemClock, now: () => times.now, after: (ms, then) => systemClock.after(ms, then) };
}

test("a finished connection has its client, listener, tries and times", async () => {
  await using backend = await startBackend();
  const time = { now: 5_000_000.25 };
  const dead = { host: "127.0.0.1", port: await freePort() };
  await using proxy = await startProxy({ pool: inOrder([dead, backend.address]), clock: clockAt(time) });
  const client = await connectTo(proxy.port);
  const { localPort } = client;
  await proxy.connected.take();
  const server = await backend.next();
  time.now += 7 * 86_400_000 + 0.125;
  client.end("hello");
  server.resume().end("answer");
  await outcome(client);
  const event = await proxy.closed.take();
  expect(event).toEqual({
    connection: 1,
    client: { host: "127.0.0.1", port: localPort },
    listener: `127.0.0.1:${proxy.port}`,
    endpoint: { ...backend.address, priority: 0, weight: 0 },
    tries: 2,
    dialMs: 0,
    durationMs: expect.closeTo(7 * 86_400_000 + 0.125, 2),
    reason: "finished",
    endedFirst: expect.stringMatching(/client|backend/),
    bytesFromClient: 5,
    bytesFromBackend: 6,
  });
});

test("failed connections say which side failed, and how long it waited", async () => {
  await using backend = await startBackend();
  await using proxy = await startProxy({ pool: inOrder([backend.address]), stallTimeoutMs: 50 });
  const client = await connectTo(proxy.port);
  client.write("?");
  await once(await backend.next(), "data");
  client.resetAndDestroy();
  const event = await proxy.closed.take();
  expect(event).toMatchObject({
    reason: "client-failed",
    error: { code: "reset" },
    endedFirst: "client",
    tries: 1,
  });
  expect(event.waitedMs).toBeGreaterThanOrEqual(0);
  expect(event.durationMs).toBeGreaterThanOrEqual(event.dialMs);
  expect(event.dialMs).toBeGreaterThan(0);
  const other = await connectTo(proxy.port);
  await proxy.connected.take();
  await proxy.connected.take();
  (await backend.next()).resetAndDestroy();
  await outcome(other);
  expect(await proxy.closed.take()).toMatchObject({
    connection: 2,
    reason: "backend-failed",
    endedFirst: "backend",
    client: { host: "127.0.0.1", port: expect.any(Number) },
  });
});

test("connections that time out, or are cut when the proxy closes, say so", async () => {
  await using backend = await startBackend(echo);
  await using proxy = await startProxy({ pool: inOrder([backend.address]), idleTimeoutMs: 50 });
  const client = await connectTo(proxy.port);
  await outcome(client);
  expect(await proxy.closed.take()).toMatchObject({
    reason: "timed-out",
    error: { code: "timed-out" },
    tries: 1,
  });
  const other = await connectTo(proxy.port);
  other.write("?");
  await once(other, "data");
  await proxy.proxy.close({ graceMs: 0 });
  expect(await proxy.closed.take()).toMatchObject({ connection: 2, reason: "aborted", tries: 1 });
});

test("a client that leaves while it is dialled for counts the endpoint that was tried", async () => {
  await using hole = await startBlackHole();
  const dead = { host: "127.0.0.1", port: await freePort() };
  await using proxy = await startProxy({
    pool: inOrder([dead, { host: "127.0.0.1", port: hole.port }]),
    dialer: createDialer({ connectTimeoutMs: 60_000 }),
  });
  const client = await connectTo(proxy.port);
  await proxy.accepted.take();
  const { localPort } = client;
  client.resetAndDestroy();
  const event = await proxy.unserved.take();
  expect(event).toMatchObject({
    connection: 1,
    client: { host: "127.0.0.1", port: localPort },
    listener: `127.0.0.1:${proxy.port}`,
  });
  expect(event.tries).toBeGreaterThanOrEqual(1);
  expect(event.durationMs).toBeGreaterThan(0);
});

test("a client for which there is no endpoint, or only this proxy, has tried none, or one", async () => {
  await using none = await startProxy({ pool: inOrder([]) });
  await outcome(await connectTo(none.port));
  expect(await none.unserved.take()).toMatchObject({ tries: 0, error: { code: "unreachable" } });
  const port = await freePort();
  const unserved = queue<Unserved>();
  await using proxy = createProxy({
    listen: [{ host: "127.0.0.1", port }],
    pool: inOrder([{ host: "127.0.0.1", port }]),
    observer: { unserved: unserved.put },
  });
  await proxy.listen();
  await outcome(await connectTo(port));
  expect(await unserved.take()).toMatchObject({ tries: 1, error: { code: "self-loop" } });
});

test("nobody asks for the address of a client that no observer wants", async () => {
  await using backend = await startBackend(echo);
  const inner = jsRelay();
  let asked = 0;
  const relay: Relay = {
    name: "counting",
    listen: (target, handlers, settings) =>
      inner.listen(
        target,
        {
          ...handlers,
          onClient: client =>
            handlers.onClient(
              new Proxy(client, {
                get(of, name) {
                  if (name === "address") asked += 1;
                  const value: unknown = Reflect.get(of, name, of);
                  return typeof value === "function" ? value.bind(of) : value;
                },
              }),
            ),
        },
        settings,
      ),
  };
  await using proxy = await startProxy({ pool: inOrder([backend.address]), relay }, true);
  const client = await connectTo(proxy.port);
  client.end("hello");
  await outcome(client);
  expect(await proxy.closed.take()).toMatchObject({ client: undefined, listener: `127.0.0.1:${proxy.port}` });
  expect(asked).toBe(0);
});
