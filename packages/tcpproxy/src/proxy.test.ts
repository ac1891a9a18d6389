import { once } from "node:events";
import net, { type Socket, type TcpNetConnectOpts } from "node:net";
import {
  type Address,
  type GatewayError,
  type Observer,
  type Pool,
  type Relay,
  type RelayEnd,
  type RelaySettings,
  systemClock,
} from "@gw/interface";
import { connectTo, echo, freePort, outcome, queue, startBackend, startBlackHole } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, createProxy, inOrder, jsRelay, type ProxyOptions, type TcpProxy } from "./index.js";

const anyPort = { host: "127.0.0.1", port: 0 };

/** A listening proxy that ends with its test. */
async function startProxy(
  options: Omit<ProxyOptions, "listen">,
): Promise<AsyncDisposable & { readonly proxy: TcpProxy; readonly port: number }> {
  const proxy = createProxy({ listen: [anyPort], ...options });
  const [address] = await proxy.listen();
  return {
    proxy,
    port: address?.port ?? 0,
    async [Symbol.asyncDispose]() {
      await proxy.close({ graceMs: 0 });
    },
  };
}

/** Waits for events by name. */
function events(): {
  readonly observer: Observer;
  next(name: "unserved" | "dialFailed"): Promise<GatewayError>;
} {
  const queues = { unserved: queue<GatewayError>(), dialFailed: queue<GatewayError>() };
  return {
    observer: {
      unserved: ({ error }) => queues.unserved.put(error),
      dialFailed: ({ error }) => queues.dialFailed.put(error),
    },
    next: name => queues[name].take(),
  };
}

test("a client whose endpoint refuses goes on to the next", async () => {
  await using backend = await startBackend(echo);
  const dead = { host: "127.0.0.1", port: await freePort() };
  await using proxy = await startProxy({ pool: inOrder([dead, backend.address]) });
  const client = await connectTo(proxy.port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
});

test("a client whose endpoint does not answer goes on to the next after the connect timeout", async () => {
  await using backend = await startBackend(echo);
  await using hole = await startBlackHole();
  const { observer, next } = events();
  await using proxy = await startProxy({
    pool: inOrder([{ host: "127.0.0.1", port: hole.port }, backend.address]),
    dialer: createDialer({ connectTimeoutMs: 200 }),
    observer,
  });
  const client = await connectTo(proxy.port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
  expect(await next("dialFailed")).toMatchObject({ code: "timed-out" });
});

test("each endpoint is tried once; then a silent client sees an end, one that has sent bytes a reset", async () => {
  const dead = [
    { host: "127.0.0.1", port: await freePort() },
    { host: "127.0.0.1", port: await freePort() },
  ];
  const { observer, next } = events();
  await using proxy = await startProxy({ pool: inOrder(dead), observer });
  const silent = await connectTo(proxy.port);
  expect(await outcome(silent)).toMatchObject({ end: "end" });
  for (const [index] of dead.entries())
    expect((await next("dialFailed")).detail).toContain(`127.0.0.1:${dead[index]?.port}`);
  expect(await next("unserved")).toMatchObject({ code: "refused" });

  // The lookup holds the dial back until the client's bytes have arrived.
  const asked = queue<(answer: { addresses: readonly string[] }) => void>();
  const dialer = createDialer({ lookup: () => new Promise(resolve => asked.put(resolve)) });
  await using slow = await startProxy({
    pool: inOrder([{ host: "etcd.test", port: dead[0]?.port ?? 1 }]),
    dialer,
  });
  const talker = await connectTo(slow.port);
  const answer = await asked.take();
  await new Promise<void>(resolve => talker.write("bytes that are not read", () => resolve()));
  answer({ addresses: ["127.0.0.1"] });
  (await asked.take())({ addresses: ["127.0.0.1"] });
  expect(await outcome(talker)).toMatchObject({ end: "ECONNRESET" });
});

test("a client that is reset while its endpoint's name is looked up costs no backend a connection", async () => {
  const asked = queue<(answer: { addresses: readonly string[] }) => void>();
  const dialer = createDialer({ lookup: () => new Promise(resolve => asked.put(resolve)) });
  const { observer, next } = events();
  let dialled = 0;
  const connect = (options: TcpNetConnectOpts): Socket => {
    dialled += 1;
    return net.connect(options);
  };
  await using proxy = await startProxy({
    pool: inOrder([{ host: "etcd.test", port: await freePort() }]),
    dialer,
    relay: jsRelay({ connect }),
    observer,
  });
  const client = await connectTo(proxy.port);
  const answer = await asked.take();
  client.resetAndDestroy();
  expect(await next("unserved")).toMatchObject({ code: "reset" });
  answer({ addresses: ["127.0.0.1"] });
  await new Promise(setImmediate);
  expect(dialled).toBe(0);
  expect(proxy.proxy.connections).toBe(0);
});

test("a dial that its pool revokes is given up for the next endpoint", async () => {
  await using backend = await startBackend(echo);
  await using hole = await startBlackHole();
  const offers = queue<(error: GatewayError) => void>();
  const inner = inOrder([{ host: "127.0.0.1", port: hole.port }, backend.address]);
  const pool: Pool = {
    acquire(request) {
      offers.put(error => request.onRevoked(error));
      return inner.acquire(request);
    },
  };
  const { observer, next } = events();
  await using proxy = await startProxy({ pool, observer });
  const client = await connectTo(proxy.port);
  client.end("hello");
  const revoke = await offers.take();
  const { GatewayError } = await import("@gw/interface");
  revoke(new GatewayError("timed-out", "another client has waited long enough"));
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
  expect((await next("dialFailed")).detail).toBe("another client has waited long enough");
});

test("a connection that its pool revokes is reset, and the observer gets the reason", async () => {
  await using backend = await startBackend(echo);
  const offers = queue<(error: GatewayError) => void>();
  const inner = inOrder([backend.address]);
  const pool: Pool = {
    acquire(request) {
      offers.put(error => request.onRevoked(error));
      return inner.acquire(request);
    },
  };
  const closed = queue<RelayEnd>();
  await using proxy = await startProxy({ pool, observer: { closed: closed.put } });
  const client = await connectTo(proxy.port);
  client.write("hello");
  await once(client, "data");
  const { GatewayError } = await import("@gw/interface");
  const error = new GatewayError("timed-out", "the endpoint hangs");
  (await offers.take())(error);
  expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
  expect(await closed.take()).toMatchObject({ reason: "aborted", error, bytesFromClient: 5 });
});

test("a pool that throws costs its client the connection, and nothing else", async () => {
  await using backend = await startBackend(echo);
  let broken = true;
  const { observer, next } = events();
  const good = inOrder([backend.address]);
  const pool: Pool = {
    acquire(request) {
      if (broken) throw new Error("the pool is broken");
      return good.acquire(request);
    },
  };
  await using proxy = await startProxy({ pool, observer });
  const unlucky = await connectTo(proxy.port);
  expect(await outcome(unlucky)).toMatchObject({ end: "end" });
  expect((await next("unserved")).detail).toContain("the pool is broken");
  broken = false;
  const client = await connectTo(proxy.port);
  client.end("unharmed");
  expect(await outcome(client)).toMatchObject({ received: Buffer.from("unharmed") });
});

test("times that are negative, not numbers or too long for a timer are refused", () => {
  for (const idleTimeoutMs of [-1, Number.NaN, 2 ** 31])
    expect(() => createProxy({ listen: [], pool: inOrder([]), idleTimeoutMs })).toThrow("idleTimeoutMs");
});

test("it listens once, and refuses a limit of less than one", async () => {
  await using backend = await startBackend(echo);
  await using proxy = await startProxy({ pool: inOrder([backend.address]) });
  await expect(proxy.proxy.listen()).rejects.toMatchObject({ code: "invalid-option" });
  (await connectTo(proxy.port)).destroy();
  for (const maxConnections of [0, -1, Number.NaN])
    expect(() => createProxy({ listen: [], pool: inOrder([]), maxConnections })).toThrow("not at least 1");
});

test("at the limit new clients are reset, open connections continue, and freed places are used again", async () => {
  await using backend = await startBackend(echo);
  const refused = queue<number>();
  const ended = queue<unknown>();
  await using proxy = await startProxy({
    pool: inOrder([backend.address]),
    maxConnections: 2,
    observer: { limitReached: ({ limit }) => refused.put(limit), closed: ended.put },
  });
  const first = await connectTo(proxy.port);
  const second = await connectTo(proxy.port);
  await Promise.all([backend.next(), backend.next()]);
  // The reset may come before the client has so much as noticed that it is connected.
  const third = connectTo(proxy.port).then(outcome);
  expect(await third.catch(error => ({ end: error.code }))).toMatchObject({ end: "ECONNRESET" });
  expect(await refused.take()).toBe(2);
  for (const client of [first, second]) {
    client.end("still here");
    expect(await outcome(client)).toEqual({ received: Buffer.from("still here"), end: "end" });
    await ended.take();
  }
  const fourth = await connectTo(proxy.port);
  fourth.end("room again");
  expect(await outcome(fourth)).toEqual({ received: Buffer.from("room again"), end: "end" });
});

test("closing refuses new clients and waits for open connections", async () => {
  await using backend = await startBackend(echo);
  await using proxy = await startProxy({ pool: inOrder([backend.address]) });
  const client = await connectTo(proxy.port);
  await backend.next();
  const closed = proxy.proxy.close({ graceMs: 2 ** 30 });
  await expect(connectTo(proxy.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  client.end("to the end");
  expect(await outcome(client)).toEqual({ received: Buffer.from("to the end"), end: "end" });
  expect(await closed).toEqual({ cut: 0 });
});

test("closing again with a shorter grace resets connections, also those that are being dialled", async () => {
  await using backend = await startBackend(echo);
  await using hole = await startBlackHole();
  let next = backend.address;
  const pool: Pool = { acquire: request => inOrder([next]).acquire(request) };
  await using proxy = await startProxy({ pool, dialer: createDialer({ connectTimeoutMs: 2 ** 30 }) });
  const established = await connectTo(proxy.port);
  await backend.next();
  next = { host: "127.0.0.1", port: hole.port };
  const dialling = await connectTo(proxy.port);
  while (proxy.proxy.connections < 2) await new Promise(setImmediate);
  const ends = Promise.all([outcome(established), outcome(dialling)]);
  const gently = proxy.proxy.close({ graceMs: 2 ** 30 });
  const atOnce = proxy.proxy.close({ graceMs: 0 });
  expect((await ends).map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET"]);
  expect(await gently).toEqual({ cut: 2 });
  expect(await atOnce).toEqual({ cut: 2 });
});

test("an address in use fails the start with a code, and frees the addresses before it", async () => {
  await using backend = await startBackend();
  const port = await freePort();
  const listen = [{ host: "127.0.0.1", port }, backend.address];
  const proxy = createProxy({ listen, pool: inOrder([backend.address]) });
  await expect(proxy.listen()).rejects.toMatchObject({ code: "address-in-use" });
  await expect(connectTo(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(proxy.addresses).toEqual([]);
});

test("a proxy does not dial itself, also by a name", async () => {
  const { observer, next } = events();
  let target = { host: "etcd.test", port: 1 };
  const pool: Pool = { acquire: request => inOrder([target]).acquire(request) };
  const dialer = createDialer({ lookup: async () => ({ addresses: ["127.0.0.1"] }) });
  await using proxy = await startProxy({ pool, dialer, observer });
  target = { host: "etcd.test", port: proxy.port };
  const client = await connectTo(proxy.port);
  expect(await outcome(client)).toMatchObject({ end: "end" });
  expect(await next("dialFailed")).toMatchObject({ code: "self-loop" });
});

test("it listens on several addresses, IPv6 among them", async () => {
  await using backend = await startBackend(echo);
  const proxy = createProxy({
    listen: [anyPort, { host: "::1", port: 0 }],
    pool: inOrder([backend.address]),
  });
  const addresses = await proxy.listen();
  expect(addresses.map(({ host }) => host)).toEqual(["127.0.0.1", "::1"]);
  for (const { host, port } of addresses) {
    const client = await connectTo(port, host);
    client.end(host);
    expect(await outcome(client)).toEqual({ received: Buffer.from(host), end: "end" });
  }
  await proxy.close({ graceMs: 0 });
});

test("an observer that throws affects no connection", async () => {
  await using backend = await startBackend(echo);
  const warnings = queue<Error>();
  process.on("warning", warnings.put);
  const throwing = (): never => {
    throw new Error("observer");
  };
  const observer: Observer = { accepted: throwing, connected: throwing, closed: throwing };
  await using proxy = await startProxy({ pool: inOrder([backend.address]), observer, clock: systemClock });
  const client = await connectTo(proxy.port);
  client.end("unharmed");
  expect(await outcome(client)).toEqual({ received: Buffer.from("unharmed"), end: "end" });
  expect((await warnings.take()).message).toContain("accepted threw: observer");
  process.off("warning", warnings.put);
});

test.each([
  ["keepAliveDelayMs", 32_767_001],
  ["keepAliveIntervalMs", 32_767_001],
  ["keepAliveProbes", 128],
  ["userTimeoutMs", 2 ** 31],
  ["stallTimeoutMs", 2 ** 31],
])("%s %d is refused, as the system would", (name, value) => {
  const create = () => createProxy({ listen: [], pool: inOrder([]), [name]: value });
  expect(create).toThrow(`[invalid-option] ${name} ${value} is not between 0 and ${value - 1}`);
});

test("by default the user timeout is no shorter than keepalive takes", async () => {
  const settings: RelaySettings[] = [];
  const relay: Relay = {
    name: "recording",
    listen: async (address: Address, _, given) => {
      settings.push(given);
      return { address, close() {} };
    },
  };
  const listen = [{ host: "127.0.0.1", port: 1 }];
  const longest = { keepAliveDelayMs: 32_767_000, keepAliveIntervalMs: 32_767_000, keepAliveProbes: 127 };
  for (const options of [{}, { keepAliveDelayMs: 600_000 }, longest, { userTimeoutMs: 5 }])
    await createProxy({ listen, pool: inOrder([]), relay, ...options }).listen();
  expect(settings.map(({ userTimeoutMs }) => userTimeoutMs)).toEqual([60_000, 630_000, 2 ** 31 - 1, 5]);
});
