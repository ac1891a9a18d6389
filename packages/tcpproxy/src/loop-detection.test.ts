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

/** With `random` at 0 a check begins when so many clients are silent. */
const threshold = 16;

interface Started extends AsyncDisposable {
  readonly proxy: TcpProxy;
  readonly port: number;
  readonly clock: ManualClock;
}

async function start(pool: Pool, clock = manualClock()): Promise<Started> {
  const proxy = createProxy({ listen: [{ host: "127.0.0.1", port: 0 }], pool, clock, random: () => 0 });
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

/** Connects as many silent clients as there may be, and one more, which is held: the probe of the check comes instead. */
async function hold({ port }: Started, backend: Backend) {
  for (let count = 0; count < threshold; count += 1) {
    await connectTo(port);
    await backend.next();
  }
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
  expect(await closed).toEqual({ cut: threshold + 1 });
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
  while (proxy.proxy.connections > threshold) await new Promise(setImmediate);
  const ended = outcome(probe);
  await proxy.clock.advance(250);
  await ended;
  expect(backend.accepted).toBe(threshold + 1);
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
