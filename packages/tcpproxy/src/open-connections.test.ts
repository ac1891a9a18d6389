import { once } from "node:events";
import { connect } from "node:net";
import type { Observer } from "@gw/interface";
import { connectTo, echo, outcome, queue, startBackend, startBlackHole } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, createProxy, inOrder } from "./index.js";

type Closed = Parameters<NonNullable<Observer["closed"]>>[0];
type Unserved = Parameters<NonNullable<Observer["unserved"]>>[0];

const listen = [{ host: "127.0.0.1", port: 0 }];

test("open connections are listed in the order of their numbers, with what is known of them", async () => {
  await using backend = await startBackend(echo);
  const endpoint = { ...backend.address, priority: 0, weight: 0 };
  await using proxy = createProxy({ listen, pool: inOrder([endpoint]) });
  const [address = { host: "", port: 0 }] = await proxy.listen();
  expect([...proxy.openConnections()]).toEqual([]);
  const clients = [];
  for (let count = 0; count < 3; count++) {
    const client = await connectTo(address.port);
    client.write("hello");
    await once(client, "data");
    clients.push(client);
  }
  const [first, second, third] = [...proxy.openConnections()];
  expect([first?.id, second?.id, third?.id]).toEqual([1, 2, 3]);
  expect(second?.client).toEqual({ host: "127.0.0.1", port: clients[1]?.localPort });
  expect(second).toMatchObject({
    listener: `127.0.0.1:${address.port}`,
    endpoint: backend.address,
    state: "connected",
    bytesFromClient: 5,
    bytesFromBackend: 5,
    waitingMs: undefined,
  });
  expect(second?.answeredMs).toBeGreaterThanOrEqual(0);
  const ageMs = second?.ageMs ?? 0;
  expect(ageMs).toBeGreaterThan(0);
  expect(first?.ageMs).toBeGreaterThan(ageMs);
  expect([...proxy.openConnections({ after: 1 })].map(({ id }) => id)).toEqual([2, 3]);
  expect([proxy.accepted, proxy.refused, proxy.connections]).toEqual([3, 0, 3]);
});

test("a thousand open connections are listed in order, page by page, though many in between have ended", async () => {
  await using backend = await startBackend(echo);
  const closed = queue<Closed>();
  await using proxy = createProxy({
    listen,
    pool: inOrder([backend.address]),
    observer: { closed: closed.put },
  });
  const [{ port } = { port: 0 }] = await proxy.listen();
  const clients = await Promise.all(Array.from({ length: 1_500 }, () => connectTo(port)));
  for (const client of clients) client.write("?");
  await Promise.all(clients.map(client => once(client, "data")));
  for (const client of clients.splice(0, 500)) client.destroy();
  for (let count = 0; count < 500; count++) await closed.take();
  const pages: number[][] = [];
  for (let after = 0; ; ) {
    const page: number[] = [];
    for (const { id } of proxy.openConnections({ after })) if (page.push(id) === 100) break;
    if (page.length === 0) break;
    pages.push(page);
    after = page.at(-1) ?? 0;
  }
  expect(pages).toHaveLength(10);
  const ids = pages.flat();
  expect(ids).toEqual(ids.toSorted((one, other) => one - other));
  expect(new Set(ids).size).toBe(1_000);
});

test("a connection that is killed is reset on both sides, and its event says so", async () => {
  await using backend = await startBackend();
  const closed = queue<Closed>();
  await using proxy = createProxy({
    listen,
    pool: inOrder([backend.address]),
    observer: { closed: closed.put },
  });
  const [{ port } = { port: 0 }] = await proxy.listen();
  const client = await connectTo(port);
  client.write("question");
  const server = await backend.next();
  await once(server, "data");
  const [one] = proxy.openConnections();
  const [ofClient, ofServer] = [outcome(client), outcome(server)];
  expect([one?.kill(), one?.kill()]).toEqual([true, false]);
  expect([...proxy.openConnections()]).toEqual([]);
  expect(await ofClient).toMatchObject({ end: "ECONNRESET" });
  expect(await ofServer).toMatchObject({ end: "ECONNRESET" });
  const event = await closed.take();
  expect(event).toMatchObject({
    connection: 1,
    client: { host: "127.0.0.1" },
    listener: `127.0.0.1:${port}`,
    reason: "aborted",
    error: { code: "aborted", detail: "closed by the operator" },
    bytesFromClient: 8,
    tries: 1,
  });
  expect(event.durationMs).toBeGreaterThanOrEqual(event.dialMs);
  expect(one?.kill()).toBe(false);
});

test("a connection that is killed while it is dialled for ends as unserved, by the operator", async () => {
  await using hole = await startBlackHole();
  const unserved = queue<Unserved>();
  await using proxy = createProxy({
    listen,
    pool: inOrder([{ host: "127.0.0.1", port: hole.port }]),
    dialer: createDialer({ connectTimeoutMs: 60_000 }),
    observer: { unserved: unserved.put, accepted: () => accepted.put(undefined) },
  });
  const accepted = queue<undefined>();
  const [{ port } = { port: 0 }] = await proxy.listen();
  const client = await connectTo(port);
  const { localPort } = client;
  client.write("question");
  await accepted.take();
  const [one] = proxy.openConnections();
  expect(one).toMatchObject({ state: "dialling", endpoint: { port: hole.port }, bytesFromBackend: 0 });
  expect(one?.kill()).toBe(true);
  expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
  expect(await unserved.take()).toMatchObject({
    connection: 1,
    client: { host: "127.0.0.1", port: localPort },
    listener: `127.0.0.1:${port}`,
    tries: 1,
    error: { code: "aborted", detail: "closed by the operator" },
  });
});

test("refused clients are counted, and not among the accepted ones", async () => {
  await using backend = await startBackend(echo);
  await using proxy = createProxy({ listen, pool: inOrder([backend.address]), maxConnections: 1 });
  const [{ port } = { port: 0 }] = await proxy.listen();
  const first = await connectTo(port);
  first.write("?");
  await once(first, "data");
  expect(await outcome(connect(port, "127.0.0.1"))).toMatchObject({ end: "ECONNRESET" });
  expect([proxy.accepted, proxy.refused]).toEqual([1, 1]);
});
