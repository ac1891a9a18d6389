import type { Served } from "../test-support/accepted-client.js";
import type { RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Surprise } from "../test-support/waitable.js";

const closing = "close() closes a client that has no backend; one that has sent bytes sees a reset.";

/** How a proxy gets rid of clients that it cannot serve. */
export const closingCases: readonly RelayCase[] = [
  {
    name: "closes a client that has sent nothing and was never dialled for",
    contract: closing,
    async check(bench) {
      const { client, served } = await bench.accepted(await bench.listen());
      served.close();
      await served.ends("closed");
      await client.until(
        () => client.fate,
        () => `${client} after close()`,
      );
    },
  },
  {
    name: "closes a client that has sent bytes with a reset",
    contract: closing,
    async check(bench) {
      const [door, nobody] = [await bench.listen(), await bench.nobody()];
      for (const dials of [0, 1]) {
        const { client, served } = await bench.accepted(door);
        await client.send("question");
        if (dials) {
          served.dial(nobody);
          await served.failsToDial("refused");
        }
        served.close();
        await client.getsReset();
        await served.ends("closed");
      }
    },
  },
  {
    name: "closes a client that has sent bytes and ended its output with a reset",
    contract: closing,
    async check(bench) {
      const [door, nobody] = [await bench.listen(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.end("question");
      served.dial(nobody);
      await served.failsToDial("refused");
      served.close();
      await client.getsReset();
      await served.ends("closed");
    },
  },
  {
    name: "closes a client that is dialled for",
    contract: `${closing} So is one that is being dialled for.`,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      for (const address of [hole, backend.address]) {
        const { client, served } = await bench.accepted(door);
        await client.send("question");
        served.dial(address);
        served.close();
        await client.getsReset();
        await served.ends("closed");
      }
    },
  },
];

const aborting = "kill() resets both sides now, and the end follows.";

/** How a proxy ends connections at once. */
export const abortCases: readonly RelayCase[] = [
  {
    name: "kills a client without a backend",
    contract: aborting,
    async check(bench) {
      const [door, hole] = [await bench.listen(), await bench.blackHole()];
      for (const dials of [0, 1]) {
        const { client, served } = await bench.accepted(door);
        if (dials) served.dial(hole);
        served.kill();
        await client.getsReset();
        await served.ends("aborted");
      }
    },
  },
  {
    name: "kills a connection",
    contract: aborting,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      client.send("question");
      await server.gets("question");
      served.kill();
      await Promise.all([client.getsReset(), server.getsReset()]);
      const { bytesFromClient } = await served.ends("aborted");
      if (bytesFromClient !== 8) throw new Surprise(`${bytesFromClient} bytes in place of 8`);
    },
  },
  {
    name: "kills a connection of which one side has ended its output",
    contract: aborting,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      client.end("question");
      await server.getsEnd("question");
      served.kill();
      await Promise.all([client.getsReset(), server.noticesReset()]);
      await served.ends("aborted");
    },
  },
  {
    name: "kills connections while the end of a side's input waits behind bytes for a slow reader",
    contract: aborting,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      // How much the system holds is not known, so that many lengths are tried.
      for (let length = 256 * 1024; length < 8 * 1024 * 1024; length += 256 * 1024) {
        const { client, server, served } = await bench.connected(door, backend);
        client.hold();
        client.expect(new ByteStream(length));
        void server.pour(new ByteStream(length), length).then(() => server.end());
        // Each arrives through the relay, which gets as much time to read all that it takes.
        for (let count = 0; count < 20; count++) await client.pings(server);
        served.kill();
        await server.getsReset();
        client.flow();
        await client.getsAllOrReset(length);
        await served.ends("aborted");
      }
    },
  },
  {
    name: "does nothing when it is told to kill what has ended",
    contract: "kill(): nothing happens if it has ended already.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const first = await bench.connected(door, backend);
      first.served.react = event => {
        if (event === "ended") first.served.kill();
      };
      first.client.end();
      first.server.end();
      await first.served.ends("finished");
      const second = await bench.connected(door, backend);
      first.served.kill();
      second.client.send("stays");
      await second.server.gets("stays");
      second.served.kill();
      second.served.kill();
      await second.served.ends("aborted");
    },
  },
  {
    name: "can be told to kill from within every event, and from within onClient()",
    contract: aborting,
    async check(bench) {
      const [backend, nobody] = [await bench.backend(), await bench.nobody()];
      const door = await bench.listen();
      for (const address of [backend.address, nobody]) {
        const { client, served } = await bench.accepted(door);
        served.react = event => {
          if (event !== "ended") served.kill();
        };
        served.dial(address);
        await (address === nobody ? served.failsToDial("refused") : served.isConnected());
        await client.getsReset();
        await served.ends("aborted");
      }
      const killed: Served[] = [];
      const deadly = await bench.listen({
        greet(served) {
          killed.push(served);
          served.kill();
          return true;
        },
      });
      const client = bench.client(deadly.address);
      await client.getsReset();
      for (const served of killed) await served.ends("aborted");
    },
  },
];
