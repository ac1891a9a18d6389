// Connections that are closed so that clients reconnect.
import { once } from "node:events";
import type { Socket } from "node:net";
import { connectTo, echo, type Gw, outcome, startBackend, startGw } from "@gw/testing";
import { expect, test } from "vitest";

async function establish(gw: Gw): Promise<Socket> {
  const client = await connectTo(gw.port);
  client.write("hello");
  await once(client, "data");
  return client;
}

test("a connection that has reached its age is reset, and the log has why", async () => {
  await using backend = await startBackend(echo);
  const endpoint = `127.0.0.1:${backend.port}`;
  await using gw = await startGw([`--endpoints=${endpoint}`, "--max-connection-age=500ms"]);
  const client = await establish(gw);
  expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
  expect(await gw.logged(/recycling connections/)).toMatchObject({
    endpoint,
    connections: 1,
    reason: "they are older than --max-connection-age",
  });
  expect(await gw.logged(/closed/)).toMatchObject({
    end: "aborted",
    reason: "the connection is older than connections may become",
  });
});

test("connections are moved to an endpoint that is up again, and stay with the others otherwise", async () => {
  await using busy = await startBackend(echo);
  await using away = await startBackend(echo);
  await away.stop();
  await using gw = await startGw([
    `--endpoints=127.0.0.1:${busy.port},127.0.0.1:${away.port}`,
    "--selector=least-connections",
    "--rebalance=100%",
    "--retry-delay=200ms",
    "--health-check=off",
  ]);
  const clients = await Promise.all(Array.from({ length: 10 }, () => establish(gw)));
  const ends = clients.map(client => outcome(client));
  await away.listenAgain();
  await gw.logged(/endpoint up/);
  await Promise.race(ends);
  expect(await gw.logged(/recycling connections/)).toMatchObject({
    endpoint: `127.0.0.1:${busy.port}`,
    connections: 1,
    reason: "other endpoints carry too few",
  });
  await establish(gw);
  expect(away.sockets.size).toBeGreaterThan(0);
  expect(busy.sockets.size).toBeGreaterThanOrEqual(8);
});
