import type { Address } from "@gw/interface";
import type { Door } from "../test-support/accepted-client.js";
import type { Backend } from "../test-support/backend.js";
import {
  type Bench,
  descriptorsAreKnown,
  descriptorsFallTo,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Surprise } from "../test-support/waitable.js";

/** How many clients connect at a time. */
const connecting = 500;

/** What becomes of many connections. */
export const manyConnectionsCases: readonly RelayCase[] = [
  {
    name: "serves many connections at once, each with its own bytes",
    contract: "Bytes arrive at the other side of their connection.",
    async check(bench) {
      const { connections } = bench.sizes;
      const { door, backend } = await echoing(bench);
      const open = await atOnce(connecting, connections, async index => {
        const { client, served } = await bench.accepted(door);
        await served.isConnected();
        client.send(`connection ${index}`);
        return { client, served, index };
      });
      await Promise.all(
        open.map(async ({ client, served, index }) => {
          await client.gets(`connection ${index}`);
          client.end(", the end");
          await client.getsEnd(", the end");
          await served.ends("finished");
        }),
      );
      const { length } = backend.peers;
      if (length !== connections) throw new Surprise(`the backend accepted ${length} connections`);
    },
  },
  {
    name: "keeps many idle connections open",
    contract: "Where no timeout is set, connections stay until one side ends them.",
    async check(bench) {
      const { door } = await echoing(bench);
      const open = await atOnce(connecting, bench.sizes.idleConnections, async () => {
        const { client, served } = await bench.accepted(door);
        await served.isConnected();
        return client;
      });
      for (const client of open) client.send(".");
      await Promise.all(open.map(client => client.gets(".")));
    },
  },
  {
    name: "keeps no descriptor of connections that have ended, whatever ended them",
    contract: "With the end all is closed.",
    possible: descriptorsAreKnown,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      backend.serve = peer => peer.echo();
      const one = (index: number): Promise<void> => endOne(bench, door, backend.address, nobody, index);
      await atOnce(50, Math.min(500, bench.sizes.turnover), one);
      const before = openDescriptors();
      await atOnce(50, bench.sizes.turnover, one);
      for (const peer of backend.peers) peer.socket.destroy();
      // What is kept for later connections, such as pipes, is not one for each that was.
      await descriptorsFallTo(before + 32, bench.sizes.limitMs);
    },
  },
];

/** A listener whose clients are connected to a backend that sends back what it gets. */
async function echoing(bench: Bench): Promise<{ readonly door: Door; readonly backend: Backend }> {
  const backend = await bench.backend();
  backend.serve = peer => peer.echo();
  const door = await bench.listen({
    greet(served) {
      served.dial(backend.address);
      return true;
    },
  });
  return { door, backend };
}

/** Opens one connection that ends in the way that is `index`'s turn. */
async function endOne(
  bench: Bench,
  door: Door,
  backend: Address,
  nobody: Address,
  index: number,
): Promise<void> {
  const { client, served } = await bench.accepted(door);
  const connected = async (): Promise<void> => {
    served.dial(backend);
    await served.isConnected();
  };
  const ways: readonly (() => Promise<unknown>)[] = [
    async () => {
      await connected();
      client.end("question");
      await client.getsEnd("question");
      await served.ends("finished");
    },
    async () => {
      await connected();
      await client.reset();
      await served.ends("client-failed");
    },
    async () => {
      await connected();
      served.kill();
      await served.ends("aborted");
    },
    async () => {
      served.dial(nobody);
      await served.failsToDial("refused");
      served.close();
      await served.ends("closed");
    },
    async () => {
      served.dial(backend);
      served.cancelDial();
      served.close();
      await served.ends("closed");
    },
  ];
  await ways[index % ways.length]?.();
  client.socket.destroy();
}

/** Runs `run` for 0 to `count` - 1, up to `limit` at a time. */
async function atOnce<Result>(
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
