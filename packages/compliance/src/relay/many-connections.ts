import type { Address } from "@gw/interface";
import type { TestListener } from "../test-support/accepted-client.js";
import type { Backend } from "../test-support/backend.js";
import {
  descriptorsAreKnown,
  descriptorsFallTo,
  type Harness,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";

/** How many clients connect at a time. */
const connecting = 500;

/** Many connections. */
export const manyConnectionsCases: readonly RelayCase[] = [
  {
    name: "serves many connections at once, each with its own bytes",
    contract: "Bytes arrive at the other side of their connection.",
    async check(harness) {
      const { connections } = harness.sizes;
      const { listener, backend } = await echoingBackend(harness);
      const open = await runConcurrently(connecting, connections, async index => {
        const { client, accepted } = await harness.accept(listener);
        await accepted.isConnected();
        client.send(`connection ${index}`);
        return { client, accepted, index };
      });
      await Promise.all(
        open.map(async ({ client, accepted, index }) => {
          await client.gets(`connection ${index}`);
          client.end(", the end");
          await client.getsEnd(", the end");
          await accepted.ends("finished");
        }),
      );
      const { length } = backend.peers;
      if (length !== connections) throw new Mismatch(`the backend accepted ${length} connections`);
    },
  },
  {
    name: "keeps many idle connections open",
    contract: "Where no timeout is set, connections stay until one side ends them.",
    async check(harness) {
      const { listener } = await echoingBackend(harness);
      const open = await runConcurrently(connecting, harness.sizes.idleConnections, async () => {
        const { client, accepted } = await harness.accept(listener);
        await accepted.isConnected();
        return client;
      });
      for (const client of open) client.send(".");
      await Promise.all(open.map(client => client.gets(".")));
    },
  },
  {
    name: "keeps no descriptor of connections that have ended, however they ended",
    contract: "Everything is closed by the time of the end.",
    possible: descriptorsAreKnown,
    async check(harness) {
      const [listener, backend, refusing] = [
        await harness.listen(),
        await harness.backend(),
        await harness.refusingAddress(),
      ];
      backend.onConnection = peer => peer.echo();
      const one = (index: number): Promise<void> =>
        openAndEnd(harness, listener, backend.address, refusing, index);
      await runConcurrently(50, Math.min(500, harness.sizes.turnover), one);
      const before = openDescriptors();
      await runConcurrently(50, harness.sizes.turnover, one);
      for (const peer of backend.peers) peer.socket.destroy();
      // What a relay keeps for later connections, such as pipes, does not grow with their number.
      await descriptorsFallTo(before + 32, harness.sizes.limitMs);
    },
  },
];

/** A listener whose clients are connected to a backend that echoes. */
async function echoingBackend(
  harness: Harness,
): Promise<{ readonly listener: TestListener; readonly backend: Backend }> {
  const backend = await harness.backend();
  backend.onConnection = peer => peer.echo();
  const listener = await harness.listen({
    onClient(accepted) {
      accepted.dial(backend.address);
      return true;
    },
  });
  return { listener, backend };
}

/** Opens one connection and ends it in one of five ways, by `index`. */
async function openAndEnd(
  harness: Harness,
  listener: TestListener,
  backend: Address,
  refusing: Address,
  index: number,
): Promise<void> {
  const { client, accepted } = await harness.accept(listener);
  const connected = async (): Promise<void> => {
    accepted.dial(backend);
    await accepted.isConnected();
  };
  const endings: readonly (() => Promise<unknown>)[] = [
    async () => {
      await connected();
      client.end("question");
      await client.getsEnd("question");
      await accepted.ends("finished");
    },
    async () => {
      await connected();
      await client.reset();
      await accepted.ends("client-failed");
    },
    async () => {
      await connected();
      accepted.abort();
      await accepted.ends("aborted");
    },
    async () => {
      accepted.dial(refusing);
      await accepted.dialFails("refused");
      accepted.close();
      await accepted.ends("closed");
    },
    async () => {
      accepted.dial(backend);
      accepted.cancelDial();
      accepted.close();
      await accepted.ends("closed");
    },
  ];
  await endings[index % endings.length]?.();
  client.socket.destroy();
}

/** Runs `run` for 0 to `count` - 1, at most `limit` at a time. */
async function runConcurrently<Result>(
  limit: number,
  count: number,
  run: (index: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) results.push(await run(next++));
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, worker));
  return results;
}
