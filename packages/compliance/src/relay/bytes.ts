import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Surprise } from "../test-support/waitable.js";

const early = "Once connected, bytes flow; those that came before arrive as well.";
const counters = "bytesFromClient and bytesFromBackend count the bytes read from each side so far.";

/** That bytes arrive, all of them, in order, and are counted. */
export const byteCases: readonly RelayCase[] = [
  {
    name: "passes on what a client sent before its dial",
    contract: early,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { client, served } = await bench.accepted(door);
      await client.send("early, ");
      await bench.lull();
      served.dial(backend.address);
      const server = await backend.next();
      await served.isConnected();
      client.send("late");
      await server.gets("early, late");
      server.send("answer");
      await client.gets("answer");
    },
  },
  {
    name: "passes on what a client sent and its end of output, both before its dial",
    contract: early,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { client, served } = await bench.accepted(door);
      client.end("early");
      await bench.lull();
      served.dial(backend.address);
      const server = await backend.next();
      await served.isConnected();
      await server.gets("early");
      await server.getsEnd();
      server.end("answer");
      await client.gets("answer");
      await client.getsEnd();
      await served.ends("finished");
    },
  },
  {
    name: "connects a client that is dialled for within onClient()",
    contract: "dial() may be called as soon as the client is known.",
    async check(bench) {
      const backend = await bench.backend();
      const door = await bench.listen({
        greet(served) {
          served.dial(backend.address);
          return true;
        },
      });
      const { client, served } = await bench.accepted(door);
      await served.isConnected();
      client.send("question");
      await (await backend.next()).gets("question");
    },
  },
  {
    name: "passes on all bytes of both directions at once",
    contract: "Every byte is passed on.",
    async check(bench) {
      const { bulkBytes } = bench.sizes;
      const { client, server, served } = await bench.connection();
      const [up, down] = [new ByteStream(1), new ByteStream(2)];
      server.expect(up);
      client.expect(down);
      const sent = Promise.all([client.pour(up, bulkBytes), server.pour(down, bulkBytes)]);
      await Promise.all([server.getsBytes(bulkBytes), client.getsBytes(bulkBytes)]);
      await sent;
      client.end();
      server.end();
      await Promise.all([server.getsEnd(), client.getsEnd()]);
      const { bytesFromClient, bytesFromBackend } = await served.ends("finished");
      if (bytesFromClient !== bulkBytes || bytesFromBackend !== bulkBytes)
        throw new Surprise(`${bytesFromClient} and ${bytesFromBackend} of ${bulkBytes} bytes were counted`);
    },
  },
  {
    name: "keeps the order of many small messages each way",
    contract: "Bytes arrive in the order in which they were sent.",
    async check(bench) {
      const { client, server } = await bench.connection();
      let [question, answer] = ["", ""];
      for (let round = 0; round < 500; round++) {
        for (let part = 0; part < round % 4; part++) {
          client.send(`question ${round}.${part};`);
          question += `question ${round}.${part};`;
        }
        for (let part = 0; part < round % 3; part++) {
          server.send(`answer ${round}.${part};`);
          answer += `answer ${round}.${part};`;
        }
        await eventLoopTurn();
      }
      await Promise.all([server.gets(question), client.gets(answer)]);
    },
  },
  {
    name: "counts the bytes of each side while it is open",
    contract: counters,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      let [fromClient, fromBackend] = [0, 0];
      for (const [up, down] of [
        [0, 0],
        [1, 0],
        [0, 3],
        [70_000, 5],
        [11, 200_000],
        [0, 1],
      ] as const) {
        client.send("u".repeat(up));
        server.send("d".repeat(down));
        await Promise.all([server.gets("u".repeat(up)), client.gets("d".repeat(down))]);
        fromClient += up;
        fromBackend += down;
        const { bytesFromClient, bytesFromBackend } = served.client;
        if (bytesFromClient !== fromClient || bytesFromBackend !== fromBackend)
          throw new Surprise(
            `${bytesFromClient} and ${bytesFromBackend} when ${fromClient} and ${fromBackend} had arrived`,
          );
      }
    },
  },
  {
    name: "tells at the end how many bytes it has read from each side",
    contract: counters,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      for (const [up, down] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [100_003, 7],
        [2, 300_007],
      ] as const) {
        const { client, server, served } = await bench.connected(door, backend);
        client.end("u".repeat(up));
        server.end("d".repeat(down));
        await Promise.all([server.getsEnd("u".repeat(up)), client.getsEnd("d".repeat(down))]);
        const { bytesFromClient, bytesFromBackend } = await served.ends("finished");
        if (bytesFromClient !== up || bytesFromBackend !== down)
          throw new Surprise(`${bytesFromClient} and ${bytesFromBackend} of ${up} and ${down}`);
      }
    },
  },
];
