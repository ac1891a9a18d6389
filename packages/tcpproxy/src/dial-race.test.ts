import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { connectFirst, dialRace, interleaveFamilies } from "@gw/interface";
import { freePort, startBlackHole } from "@gw/testing";
import { afterEach, expect, test } from "vitest";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(): Promise<{ host: string; port: number }> {
  const server = createServer(socket => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

const refused = async () => ({ host: "127.0.0.1", port: await freePort() });

test("the next address is tried beside one that does not answer", async () => {
  await using hole = await startBlackHole();
  const silent = { host: "127.0.0.1", port: hole.port };
  const backend = await listen();
  const since = performance.now();
  const { socket, address } = await connectFirst([silent, silent, backend], { timeoutMs: 60_000 });
  expect(address).toEqual(backend);
  expect(performance.now() - since).toBeGreaterThanOrEqual(2 * dialRace.attemptDelayMs - 10);
  socket.destroy();
});

test("an address that refuses does not cost the delay", async () => {
  const backend = await listen();
  const list = await Promise.all(Array.from({ length: 15 }, refused));
  const since = performance.now();
  const { socket, address } = await connectFirst([...list, backend], { timeoutMs: 60_000 });
  expect(address).toEqual(backend);
  expect(performance.now() - since).toBeLessThan(10 * dialRace.attemptDelayMs);
  socket.destroy();
});

test("it fails when the last address has failed", async () => {
  await using hole = await startBlackHole();
  const silent = { host: "127.0.0.1", port: hole.port };
  const dead = await refused();
  await expect(connectFirst([dead], { timeoutMs: 100 })).rejects.toMatchObject({ code: "refused" });
  // On a busy machine the second is dialled before the first has timed out, and fails before it.
  await expect(connectFirst([silent, dead], { timeoutMs: 100 })).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:refused|timed-out)$/),
  });
  await expect(connectFirst([dead, silent], { timeoutMs: 100 })).rejects.toMatchObject({
    code: "timed-out",
    detail: `dial 127.0.0.1:${hole.port}: no answer within 100 ms`,
  });
  await expect(connectFirst([], { timeoutMs: 100 })).rejects.toMatchObject({ code: "unreachable" });
});

test("addresses behind the sixteenth are left out", async () => {
  const list = await Promise.all(Array.from({ length: dialRace.addresses }, refused));
  const connecting = connectFirst([...list, await listen()], { timeoutMs: 60_000 });
  await expect(connecting).rejects.toMatchObject({ code: "refused" });
});

test("it can be given up", async () => {
  await using hole = await startBlackHole();
  const giveUp = new AbortController();
  const options = { timeoutMs: 60_000, signal: giveUp.signal };
  const connecting = connectFirst([{ host: "127.0.0.1", port: hole.port }], options);
  giveUp.abort(new Error("enough"));
  await expect(connecting).rejects.toThrow("enough");
  await expect(connectFirst([await listen()], options)).rejects.toThrow("enough");
});

test("families take turns, beginning with that of the first", () => {
  expect(interleaveFamilies(["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"])).toEqual([
    "::1",
    "1.1.1.1",
    "::2",
    "2.2.2.2",
    "::3",
  ]);
  expect(interleaveFamilies(["1.1.1.1", "2.2.2.2", "::1"])).toEqual(["1.1.1.1", "::1", "2.2.2.2"]);
  expect(interleaveFamilies(["1.1.1.1", "2.2.2.2"])).toEqual(["1.1.1.1", "2.2.2.2"]);
  expect(interleaveFamilies([])).toEqual([]);
});
