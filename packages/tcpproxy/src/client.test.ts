import { once } from "node:events";
import { createServer } from "node:net";
import type { Lease, LeaseRequest, Observer, Pool, Relay } from "@gw/interface";
import { connectTo, freePort, outcome, queue, startBackend, startBlackHole } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, createProxy, inOrder, jsRelay, type ProxyOptions } from "./index.js";

type Connected = Parameters<NonNullable<Observer["connected"]>>[0];

async function startProxy(options: Omit<ProxyOptions, "listen" | "observer">) {
  const connected = queue<Connected>();
  const unserved = queue<{ readonly code: string; readonly detail: string }>();
  let failedDials = 0;
  const proxy = createProxy({
    ...options,
    listen: [{ host: "127.0.0.1", port: 0 }],
    observer: {
      connected: connected.put,
      unserved: ({ error }) => unserved.put(error),
      dialFailed: () => {
        failedDials += 1;
      },
    },
  });
  const [address] = await proxy.listen();
  return {
    port: address?.port ?? 0,
    connected,
    unserved,
    failedDials: () => failedDials,
    [Symbol.asyncDispose]: async () => void (await proxy.close({ graceMs: 0 })),
  };
}

test("an address that does not answer costs one client 250 ms, and the next none", async () => {
  await using hole = await startBlackHole();
  const server = createServer(socket => socket.pipe(socket)).listen(hole.port, "127.0.0.2");
  await once(server, "listening");
  const dialer = createDialer({
    connectTimeoutMs: 60_000,
    lookup: async () => ({ addresses: ["127.0.0.1", "127.0.0.2"] }),
  });
  await using proxy = await startProxy({ pool: inOrder([{ host: "etcd.test", port: hole.port }]), dialer });
  const dialTimes: number[] = [];
  for (const text of ["first", "second"]) {
    const client = await connectTo(proxy.port);
    client.end(text);
    expect(await outcome(client)).toEqual({ received: Buffer.from(text), end: "end" });
    const { address, dialMs } = await proxy.connected.take();
    expect(address).toEqual({ host: "127.0.0.2", port: hole.port });
    dialTimes.push(dialMs);
  }
  const [first = 0, second = 0] = dialTimes;
  expect(first).toBeGreaterThanOrEqual(240);
  expect(second).toBeLessThan(first);
  expect(proxy.failedDials()).toBe(0);
  server.close();
});

test("a client is tried with 16 endpoints, and the error says so", async () => {
  const dead = await Promise.all(
    Array.from({ length: 40 }, async () => ({ host: "127.0.0.1", port: await freePort() })),
  );
  for (const [maxAttempts, count, said] of [
    [undefined, 16, "16 endpoints were tried, the most for one client; the last: dial 127.0.0.1:"],
    [1, 1, "1 endpoint was tried, the most for one client; the last: dial 127.0.0.1:"],
  ] as const) {
    await using proxy = await startProxy({ pool: inOrder(dead), maxAttempts });
    const client = await connectTo(proxy.port);
    expect(await outcome(client)).toMatchObject({ end: "end" });
    const error = await proxy.unserved.take();
    expect(error).toMatchObject({ code: "refused" });
    expect(error.detail).toContain(said);
    expect(proxy.failedDials()).toBe(count);
  }
});

test("it takes at least one attempt", () => {
  for (const maxAttempts of [0, Number.NaN])
    expect(() =>
      createProxy({ listen: [{ host: "127.0.0.1", port: 0 }], pool: inOrder([]), maxAttempts }),
    ).toThrow(`maxAttempts ${maxAttempts} is not at least 1`);
});

/** A pool of one endpoint that records its requests, and the stalls of its leases. */
function recordingPool(endpoint: Lease["endpoint"]) {
  const requests: LeaseRequest[] = [];
  const stalls = queue<LeaseRequest>();
  /** What leases were told at their ends. */
  const ends = queue<"abandoned" | "released">();
  const pool: Pool = {
    acquire(request) {
      requests.push(request);
      return {
        endpoint,
        connected() {},
        stalled: () => stalls.put(request),
        failed() {},
        abandoned: () => ends.put("abandoned"),
        released: () => ends.put("released"),
      };
    },
  };
  return { pool, requests, stalls, ends };
}

test("the lease is told when its client waits, and its request shows for how long", async () => {
  await using backend = await startBackend();
  const { pool, stalls } = recordingPool({ ...backend.address, priority: 0, weight: 0 });
  await using proxy = await startProxy({ pool, stallTimeoutMs: 50 });
  const client = await connectTo(proxy.port);
  client.write("question");
  const request = await stalls.take();
  expect(request.waitingMs).toBeGreaterThanOrEqual(50);
  expect(request).toMatchObject({ bytesFromBackend: 0, answeredMs: undefined, answered: false });
  (await backend.next()).write("answer");
  await once(client, "data");
  expect(request).toMatchObject({ bytesFromBackend: 6, waitingMs: undefined, answered: true });
  expect(request.answeredMs).toBeLessThan(60_000);
  client.write("another question");
  expect(await stalls.take()).toBe(request);
  client.resetAndDestroy();
});

test("the lease is told when its client gives up after two fifths of the stall timeout, and not sooner", async () => {
  await using backend = await startBackend();
  const { pool, ends } = recordingPool({ ...backend.address, priority: 0, weight: 0 });
  const inner = jsRelay();
  let waitedMs = 0;
  const relay: Relay = {
    name: "with other waits",
    listen: (address, handlers, settings) =>
      inner.listen(
        address,
        {
          ...handlers,
          onClient(client) {
            const events = handlers.onClient(client);
            return (
              events && {
                connected: address => events.connected(address),
                dialFailed: error => events.dialFailed(error),
                ended: end => events.ended({ ...end, waitedMs }),
              }
            );
          },
        },
        settings,
      ),
  };
  await using proxy = await startProxy({ pool, relay, stallTimeoutMs: 1_000 });
  for (const [waited, told] of [
    [399, ["released"]],
    [400, ["abandoned", "released"]],
  ] as const) {
    waitedMs = waited;
    const client = await connectTo(proxy.port);
    await backend.next();
    client.resetAndDestroy();
    for (const end of told) expect(await ends.take()).toBe(end);
  }
});

test("with a relay that knows nothing of waits they are unknown", async () => {
  await using backend = await startBackend(socket => socket.pipe(socket));
  const { pool, requests } = recordingPool({ ...backend.address, priority: 0, weight: 0 });
  const inner = jsRelay();
  const relay: Relay = {
    name: "simple",
    listen: (address, handlers, { stallTimeoutMs: _, ...settings }) =>
      inner.listen(address, handlers, settings),
  };
  await using proxy = await startProxy({ pool, relay });
  const client = await connectTo(proxy.port);
  client.end("question");
  expect(await outcome(client)).toEqual({ received: Buffer.from("question"), end: "end" });
  expect(requests).toMatchObject([{ bytesFromBackend: 8, answeredMs: undefined, waitingMs: undefined }]);
});
