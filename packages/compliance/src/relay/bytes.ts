import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";

const early = "Once connected, bytes flow; those that arrived before are passed on as well.";
const counters = "bytesFromClient and bytesFromBackend count the bytes read from each side so far.";

/** All bytes arrive, in order, and are counted. */
export const byteCases: readonly RelayCase[] = [
  {
    name: "passes on what a client sent before its dial",
    contract: early,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const { client, accepted } = await harness.accept(listener);
      await client.send("early, ");
      await harness.roundTrips();
      accepted.dial(backend.address);
      const server = await backend.next();
      await accepted.isConnected();
      client.send("late");
      await server.gets("early, late");
      server.send("answer");
      await client.gets("answer");
    },
  },
  {
    name: "passes on what a client sent and its end of output, both before its dial",
    contract: early,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const { client, accepted } = await harness.accept(listener);
      client.end("early");
      await harness.roundTrips();
      accepted.dial(backend.address);
      const server = await backend.next();
      await accepted.isConnected();
      await server.gets("early");
      await server.getsEnd();
      server.end("answer");
      await client.gets("answer");
      await client.getsEnd();
      await accepted.ends("finished");
    },
  },
  {
    name: "connects a client that is dialled for within onClient()",
    contract: "dial() may be called as soon as the client is known.",
    async check(harness) {
      const backend = await harness.backend();
      const listener = await harness.listen({
        onClient(accepted) {
          accepted.dial(backend.address);
          return true;
        },
      });
      const { client, accepted } = await harness.accept(listener);
      await accepted.isConnected();
      client.send("question");
      await (await backend.next()).gets("question");
    },
  },
  {
    name: "passes on all bytes of both directions at once",
    contract: "Every byte is passed on.",
    async check(harness) {
      const { bulkBytes } = harness.sizes;
      const { client, server, accepted } = await harness.connection();
      const [up, down] = [new ByteStream(1), new ByteStream(2)];
      server.expect(up);
      client.expect(down);
      const sent = Promise.all([client.sendStream(up, bulkBytes), server.sendStream(down, bulkBytes)]);
      await Promise.all([server.getsBytes(bulkBytes), client.getsBytes(bulkBytes)]);
      await sent;
      client.end();
      server.end();
      await Promise.all([server.getsEnd(), client.getsEnd()]);
      const { bytesFromClient, bytesFromBackend } = await accepted.ends("finished");
      if (bytesFromClient !== bulkBytes || bytesFromBackend !== bulkBytes)
        throw new Mismatch(`${bytesFromClient} and ${bytesFromBackend} of ${bulkBytes} bytes were counted`);
    },
  },
  {
    name: "keeps the order of many small messages each way",
    contract: "Bytes arrive in the order in which they were sent.",
    async check(harness) {
      const { client, server } = await harness.connection();
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
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
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
        const { bytesFromClient, bytesFromBackend } = accepted.client;
        if (bytesFromClient !== fromClient || bytesFromBackend !== fromBackend)
          throw new Mismatch(
            `${bytesFromClient} and ${bytesFromBackend} when ${fromClient} and ${fromBackend} had arrived`,
          );
      }
    },
  },
  {
    name: "reports at the end how many bytes it has read from each side",
    contract: counters,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      for (const [up, down] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [100_003, 7],
        [2, 300_007],
      ] as const) {
        const { client, server, accepted } = await harness.connect(listener, backend);
        client.end("u".repeat(up));
        server.end("d".repeat(down));
        await Promise.all([server.getsEnd("u".repeat(up)), client.getsEnd("d".repeat(down))]);
        const { bytesFromClient, bytesFromBackend } = await accepted.ends("finished");
        if (bytesFromClient !== up || bytesFromBackend !== down)
          throw new Mismatch(`${bytesFromClient} and ${bytesFromBackend} of ${up} and ${down}`);
      }
    },
  },
];
