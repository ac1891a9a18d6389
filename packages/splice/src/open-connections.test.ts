// A proxy on the native relay lists and kills its connections, also those that took a dial of the stock.
import { once } from "node:events";
import type { Observer } from "@gw/interface";
import { createProxy, inOrder } from "@gw/tcpproxy";
import { connectTo, echo, outcome, queue, startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { splice } from "./index.js";

test("open connections are listed in order and killed", async () => {
  await using backend = await startBackend(echo);
  const closed = queue<Parameters<NonNullable<Observer["closed"]>>[0]>();
  await using proxy = createProxy({
    listen: [{ host: "127.0.0.1", port: 0 }],
    pool: inOrder([backend.address]),
    relay: splice({ threads: 2 }),
    observer: { closed: closed.put },
  });
  const [{ port } = { port: 0 }] = await proxy.listen();
  const clients = [];
  for (let count = 0; count < 20; count++) {
    const client = await connectTo(port);
    client.write("hello");
    await once(client, "data");
    clients.push(client);
  }
  const listed = [...proxy.openConnections({ after: 10 })];
  expect(listed.map(({ id }) => id)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  const [client, { localPort } = {}] = [clients[10], clients[10]];
  expect(listed[0]).toMatchObject({
    client: { host: "127.0.0.1", port: localPort },
    listener: `127.0.0.1:${port}`,
    endpoint: backend.address,
    state: "connected",
    bytesFromClient: 5,
    bytesFromBackend: 5,
  });
  const end = client && outcome(client);
  expect([listed[0]?.kill(), listed[0]?.kill()]).toEqual([true, false]);
  expect(await end).toMatchObject({ end: "ECONNRESET" });
  const event = await closed.take();
  expect(event).toMatchObject({
    connection: 11,
    client: { host: "127.0.0.1", port: localPort },
    listener: `127.0.0.1:${port}`,
    reason: "aborted",
    error: { code: "aborted", detail: "closed by the operator" },
    tries: 1,
  });
  expect(event.durationMs).toBeGreaterThanOrEqual(event.dialMs);
  for (const one of clients) one.destroy();
});
