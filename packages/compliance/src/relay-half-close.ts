import { ByteStream } from "./byte-stream.js";
import type { RelayCase } from "./relay-bench.js";

const length = 16 * 1024 * 1024;

const contract =
  "An end of input on one side becomes a shutdown of the other's write side, and no more than that.";

/** What becomes of an end of output. */
export const halfCloseCases: readonly RelayCase[] = [
  {
    name: "a client that has ended its output still gets the answer",
    contract,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      client.end("question");
      await server.getsEnd("question");
      server.send("answer, ");
      await client.gets("answer, ");
      server.end("more of it");
      await client.getsEnd("more of it");
      await served.ends("finished");
    },
  },
  {
    name: "a backend that has ended its output still gets what the client sends",
    contract,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      server.end("greeting");
      await client.getsEnd("greeting");
      client.send("still ");
      await server.gets("still ");
      client.end("here");
      await server.getsEnd("here");
      await served.ends("finished");
    },
  },
  {
    name: "a client that ends its output without a byte still gets the answer",
    contract,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      client.end();
      await server.getsEnd();
      server.end("answer");
      await client.getsEnd("answer");
      await served.ends("finished");
    },
  },
  {
    name: "an end of output comes after all that was sent before it, however slowly that is read",
    contract,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      const [up, down] = [new ByteStream(3), new ByteStream(4)];
      server.expect(up);
      client.expect(down);
      server.hold();
      client.hold();
      for (const [peer, stream] of [
        [client, up],
        [server, down],
      ] as const)
        peer.pour(stream, length).then(() => peer.end());
      await Promise.all([server.sipsTo(length), client.sipsTo(length)]);
      await Promise.all([server.getsEnd(), client.getsEnd()]);
      await served.ends("finished");
    },
  },
  {
    name: "connections whose sides end at once finish",
    contract: "`finished`: both sides ended their output, and every byte was passed on.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      for (let round = 0; round < 50; round++) {
        const { client, server, served } = await bench.connected(door, backend);
        client.end("bye");
        server.end("bye");
        await Promise.all([client.getsEnd("bye"), server.getsEnd("bye")]);
        await served.ends("finished");
      }
    },
  },
];
