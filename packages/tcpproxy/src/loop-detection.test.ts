import { once } from "node:events";
import type { Socket } from "node:net";
import { type Endpoint, GatewayError, type Pool } from "@gw/interface";
import {
  type Backend,
  connectTo,
  echo,
  type ManualClock,
  manualClock,
  outcome,
  queue,
  startBackend,
} from "@gw/testing";
import { expect, test } from "vitest";
import { createProxy, inOrder, type TcpProxy } from "./index.js";

/** When so many clients have been silent for a quarter of a second, a check begins with further ones. */
const threshold = 16;
/** With `random` at 0 so many. */
const more = 4;
/** Or at once when so many are silent. */
const crowd = 320;

interface Started extends AsyncDisposable {
  readonly proxy: TcpProxy;
  readonly port: number;
  readonly clock: ManualClock;
}

async function start(pool: Pool, maxConnections?: number): Promise<Started> {
  const clock = manualClock();
  const listen = [{ host: "127.0.0.1", port: 0 }];
  const proxy = createProxy({ listen, pool, clock, random: () => 0, maxConnections });
  const [address] = await proxy.listen();
  return {
    proxy,
    clock,
    port: address?.port ?? 0,
    async [Symbol.asyncDispose]() {
      const closed = proxy.close({ graceMs: 0 });
      await clock.advance(0);
      await closed;
    },
  };
}

/** Connects so many clients to a backend that sends nothing. */
async function connectSilent({ port }: Started, backend: Backend, count: number): Promise<void> {
  for (let connected = 0; connected < count; connected += 1) {
    await connectTo(port);
    await backend.next();
  }
}

/** Connects as many silent clients as there may be, and one more, which is held: the probe of the check comes instead. */
async function hold(started: Started, backend: Backend) {
  await connectSilent(started, backend, threshold);
  // The next one begins the time for which they have to stay silent.
  await connectSilent(started, backend, 1);
  await started.clock.advance(250);
  await connectSilent(started, backend, more);
  return heldNow(started, backend);
}

async function heldNow({ port }: Started, backend: Backend) {
  const held = await connectTo(port);
  return { held, probe: await backend.next() };
}

test("a client that is held goes on when no probe comes back", async () => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]));
  const { held, probe } = await hold(proxy, backend);
  const ended = outcome(probe);
  await proxy.clock.advance(250);
  expect(await ended).toMatchObject({ end: "ECONNRESET" });
  held.write("hello");
  const [data] = await Promise.all([backend.next().then(firstOf), ended]);
  expect(data).toBe("hello");
});

test("an endpoint that ends a probe is no loop", async () => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]));
  const { held, probe } = await hold(proxy, backend);
  probe.destroy();
  held.write("hello");
  expect(await backend.next().then(firstOf)).toBe("hello");
});

test("closing ends a hold", async () => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]));
  const { held, probe } = await hold(proxy, backend);
  const ends = Promise.all([outcome(held), outcome(probe)]);
  const closed = proxy.proxy.close({ graceMs: 1_000 });
  const ended = await Promise.race([ends, backend.next().then(() => "connected")]);
  expect(ended).toBe("connected");
  await proxy.clock.advance(1_000);
  expect(await closed).toEqual({ cut: threshold + more + 2 });
  await ends;
});

test("a client that its pool revokes while it is held goes on to the next endpoint", async () => {
  await using backend = await startBackend();
  await using other = await startBackend(echo);
  const revoke: ((error: GatewayError) => void)[] = [];
  const inner = inOrder([backend.address, other.address]);
  const pool: Pool = {
    acquire(request) {
      revoke.push(error => request.onRevoked(error));
      return inner.acquire(request);
    },
  };
  await using proxy = await start(pool);
  const { held } = await hold(proxy, backend);
  revoke.at(-1)?.(new GatewayError("timed-out", "the endpoint hangs"));
  held.end("hello");
  // It may have come through a loop, and is held for any endpoint.
  await proxy.clock.advance(250);
  expect(await outcome(held)).toMatchObject({ received: Buffer.from("hello") });
  expect(other.accepted).toBe(1);
});

test("a client that leaves while it is held costs nothing", async () => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]));
  const { held, probe } = await hold(proxy, backend);
  held.resetAndDestroy();
  while (proxy.proxy.connections > threshold + more + 1) await new Promise(setImmediate);
  const ended = outcome(probe);
  await proxy.clock.advance(250);
  await ended;
  expect(backend.accepted).toBe(threshold + more + 2);
});

test("clients that have had a byte are not silent", async () => {
  await using backend = await startBackend(socket => socket.write("x"));
  await using proxy = await start(inOrder([backend.address]));
  for (let count = 0; count < 3 * threshold; count += 1) {
    const client = await connectTo(proxy.port);
    expect(await firstOf(client)).toBe("x");
  }
  expect(backend.accepted).toBe(3 * threshold);
});

test("a burst is not held, however many clients there were before", async () => {
  await using backend = await startBackend(echo);
  await using proxy = await start(inOrder([backend.address]));
  for (const size of [threshold, crowd, crowd]) {
    const clients: Socket[] = [];
    for (let count = 0; count < size; count += 1) {
      clients.push(await connectTo(proxy.port));
      await backend.next();
    }
    await proxy.clock.advance(249);
    for (const client of clients) {
      client.write("x");
      expect(await firstOf(client)).toBe("x");
    }
    await proxy.clock.advance(1);
  }
  expect(backend.accepted).toBe(threshold + 2 * crowd);
});

test("silent clients of a burst count only when they stay silent", async () => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]));
  await connectSilent(proxy, backend, threshold - 1);
  const leaving = [await connectTo(proxy.port), await connectTo(proxy.port)];
  for (const _ of leaving) await backend.next();
  await proxy.clock.advance(250);
  // One too few has stayed, and the next clients are new: the time begins again, with them.
  for (const client of leaving) client.resetAndDestroy();
  while (proxy.proxy.connections > threshold - 1) await new Promise(setImmediate);
  await connectSilent(proxy, backend, 2 * threshold);
  expect(backend.accepted).toBe(1 + 3 * threshold);
  await proxy.clock.advance(250);
  await connectSilent(proxy, backend, more);
  const { probe } = await heldNow(proxy, backend);
  expect(probe.bytesRead).toBe(0);
});

test.each([
  ["many connections", undefined, crowd],
  ["a limit of 200 connections", 200, 50],
])("with %s clients are held at once when so many are silent", async (_, maxConnections, size) => {
  await using backend = await startBackend();
  await using proxy = await start(inOrder([backend.address]), maxConnections);
  await connectSilent(proxy, backend, size);
  const { held, probe } = await heldNow(proxy, backend);
  const ended = outcome(probe);
  await proxy.clock.advance(250);
  expect(await ended).toMatchObject({ end: "ECONNRESET" });
  held.write("hello");
  expect(await backend.next().then(firstOf)).toBe("hello");
});

test("two proxies that are each other's endpoint find out, and use another endpoint", async () => {
  await using backend = await startBackend(echo);
  const failures = queue<{ readonly endpoint: Endpoint; readonly error: GatewayError }>();
  let pool: Pool = inOrder([]);
  const listen = [{ host: "127.0.0.1", port: 0 }];
  const draws = [0, 0.9];
  const first = createProxy({
    listen,
    pool: { acquire: request => pool.acquire(request) },
    observer: { dialFailed: failures.put },
    random: () => draws.shift() ?? Math.random(),
  });
  const [address = { host: "", port: 0 }] = await first.listen();
  const second = createProxy({ listen, pool: inOrder([address]), random: () => 0.99 });
  const [back = { host: "", port: 0 }] = await second.listen();
  pool = inOrder([back, backend.address]);
  try {
    const client = await connectTo(address.port);
    const ended = outcome(client);
    const { endpoint, error } = await failures.take();
    expect(endpoint).toMatchObject(back);
    expect(error).toMatchObject({ code: "self-loop" });
    expect(error.detail).toContain("leads back to this gateway through another");
    expect(await ended).toMatchObject({ end: "ECONNRESET" });
    const next = await connectTo(address.port);
    next.end("hello");
    expect(await outcome(next)).toMatchObject({ received: Buffer.from("hello") });
  } finally {
    await Promise.all([first.close({ graceMs: 0 }), second.close({ graceMs: 0 })]);
  }
});

/** What comes first. */
async function firstOf(socket: Socket): Promise<string> {
  const [data] = await once(socket, "data");
  return data.toString();
}
