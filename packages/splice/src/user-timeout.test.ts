// The user timeout ends connections of peers that have vanished; the write timeout those of peers that read nothing.
import type { RelayEnd } from "@gw/interface";
import { createNetwork, noNetworks, startBackend, startProgram } from "@gw/testing";
import { describe, expect } from "vitest";
import { test } from "../test/available.js";
import { scriptWith } from "../test/script.js";
import { connectTo, settings, until } from "../test/serving.js";
import { splice } from "./index.js";

const userTimeoutMs = 500;
const writeTimeoutMs = 2_000;

/** How a connection ends when one side reads nothing of `bytes`. */
async function endOf(stuck: "client" | "backend", bytes: number): Promise<RelayEnd> {
  const data = Buffer.alloc(bytes);
  await using backend = await startBackend(socket => stuck === "client" && socket.write(data));
  const ends: RelayEnd[] = [];
  const listener = await splice({ threads: 1 }).listen(
    { host: "127.0.0.1", port: 0 },
    {
      onClient(client) {
        client.dial([backend.address], 10_000);
        return { connected() {}, dialFailed() {}, ended: end => ends.push(end) };
      },
      onError() {},
    },
    { ...settings, userTimeoutMs, writeTimeoutMs },
  );
  const socket = connectTo(listener);
  if (stuck === "backend") socket.write(data);
  await until(() => ends.length === 1);
  listener.close();
  socket.destroy();
  return ends[0] as RelayEnd;
}

const cases = [
  // So much that the relay has pending bytes, and so little that the kernel takes all.
  ["client", 32 * 1024 * 1024],
  ["backend", 32 * 1024 * 1024],
  ["client", 400_000],
  ["backend", 400_000],
] as const;

describe.concurrent("a peer that acknowledges and reads nothing", () => {
  test.for(cases)(
    "is bounded by the write timeout: the %s, with %d bytes",
    async ([stuck, bytes], context) => {
      const since = performance.now();
      const { reason, error } = await endOf(stuck, bytes);
      context.expect([reason, error?.code]).toEqual(["timed-out", "timed-out"]);
      context.expect(performance.now() - since).toBeGreaterThan(writeTimeoutMs);
    },
  );
});

/**
 * Relays a client of another machine that reads nothing, without a write timeout. Prints when it has connected, when
 * another connection, which is idle, is over after four times the user timeout, and how the client's connection ends.
 */
const relayScript = scriptWith(`
  const { connect, createServer } = require("node:net");
  const userTimeoutMs = ${userTimeoutMs};
  const backend = createServer(socket => socket.on("error", () => {}).write(Buffer.alloc(400_000)));
  backend.listen(0, "127.0.0.1", async () => {
    const { port } = backend.address();
    const start = (host, extra, ended, connected = () => {}) =>
      splice({ threads: 1 }).listen({ host, port: 0 }, { onError() {}, onClient(client) {
        client.dial([{ host: "127.0.0.1", port }], 10_000);
        return { ...noEvents, connected, ended };
      } }, { ...settings, ...extra });
    const idle = await start("127.0.0.1", { idleTimeoutMs: 4 * userTimeoutMs }, () => console.log("waited"));
    const { address } = await start("10.66.1.1", { userTimeoutMs },
      ({ reason, error }) => console.log("ended:", reason, error?.code),
      // The client may take long to start: the wait begins when it is there.
      () => connect(idle.address).on("error", () => {}).resume());
    console.log("port " + address.port);
  });`);

describe.skipIf(noNetworks())("a peer that vanishes", () => {
  test("is found by the user timeout, also after it has read nothing for longer", async () => {
    await using network = await createNetwork(1);
    const [host] = network.hosts;
    const [command = "", ...rest] = network.commandPrefix;
    await using relay = startProgram(command, [...rest, process.execPath, "--eval", relayScript]);
    const [, port] = await relay.printed(/port (\d+)/);
    // What is not read from does not keep a process alive.
    const client = `setInterval(() => {}, 1e6); require("node:net").connect(${port}, "10.66.1.1")`;
    const [within = "", ...args] = host?.commandPrefix ?? [];
    await using _ = startProgram(within, [...args, process.execPath, "--eval", client]);
    await relay.printed(/waited/);
    expect(relay.output).not.toMatch(/ended:/);
    await host?.vanish();
    expect((await relay.printed(/ended: (.*)/))[1]).toBe("client-failed timed-out");
    // The system probes at longer and longer intervals, and the second probe has to be unanswered as well.
  });
});
