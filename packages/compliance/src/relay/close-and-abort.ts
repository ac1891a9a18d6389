import type { AcceptedClient } from "../test-support/accepted-client.js";
import type { RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";

const closing = "close() closes a client that has no backend; one that has sent bytes sees a reset.";

/** Clients that the proxy cannot serve. */
export const closingCases: readonly RelayCase[] = [
  {
    name: "closes a client that has sent nothing and was never dialled for",
    contract: closing,
    async check(harness) {
      const { client, accepted } = await harness.accept(await harness.listen());
      accepted.close();
      await accepted.ends("closed");
      await client.until(
        () => client.inputEnd,
        () => `${client} after close()`,
      );
    },
  },
  {
    name: "closes a client that has sent bytes with a reset",
    contract: closing,
    async check(harness) {
      const [listener, refusing] = [await harness.listen(), await harness.refusingAddress()];
      for (const dials of [0, 1]) {
        const { client, accepted } = await harness.accept(listener);
        await client.send("question");
        if (dials) {
          accepted.dial(refusing);
          await accepted.dialFails("refused");
        }
        accepted.close();
        await client.getsReset();
        await accepted.ends("closed");
      }
    },
  },
  {
    name: "closes a client that has sent bytes and ended its output with a reset",
    contract: closing,
    async check(harness) {
      const [listener, refusing] = [await harness.listen(), await harness.refusingAddress()];
      const { client, accepted } = await harness.accept(listener);
      client.end("question");
      accepted.dial(refusing);
      await accepted.dialFails("refused");
      accepted.close();
      await client.getsReset();
      await accepted.ends("closed");
    },
  },
  {
    name: "closes a client that is dialled for",
    contract: `${closing} So is one that is being dialled for.`,
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      for (const address of [hole, backend.address]) {
        const { client, accepted } = await harness.accept(listener);
        await client.send("question");
        accepted.dial(address);
        accepted.close();
        await client.getsReset();
        await accepted.ends("closed");
      }
    },
  },
];

const aborting = "abort() resets both sides now, and the end follows.";

/** Connections that the proxy ends at once. */
export const abortCases: readonly RelayCase[] = [
  {
    name: "aborts a client without a backend",
    contract: aborting,
    async check(harness) {
      const [listener, hole] = [await harness.listen(), await harness.blackHole()];
      for (const dials of [0, 1]) {
        const { client, accepted } = await harness.accept(listener);
        if (dials) accepted.dial(hole);
        accepted.abort();
        await client.getsReset();
        await accepted.ends("aborted");
      }
    },
  },
  {
    name: "aborts a connection",
    contract: aborting,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      client.send("question");
      await server.gets("question");
      accepted.abort();
      await Promise.all([client.getsReset(), server.getsReset()]);
      const { bytesFromClient } = await accepted.ends("aborted");
      if (bytesFromClient !== 8) throw new Mismatch(`${bytesFromClient} bytes in place of 8`);
    },
  },
  {
    name: "aborts a connection of which one side has ended its output",
    contract: aborting,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      client.end("question");
      await server.getsEnd("question");
      accepted.abort();
      await Promise.all([client.getsReset(), server.noticesReset()]);
      await accepted.ends("aborted");
    },
  },
  {
    name: "aborts connections while an end of input is pending behind bytes for a slow reader",
    contract: aborting,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      // How much the kernel buffers is unknown, so many lengths are tried.
      for (let length = 256 * 1024; length < 8 * 1024 * 1024; length += 256 * 1024) {
        const { client, server, accepted } = await harness.connect(listener, backend);
        client.pause();
        client.expect(new ByteStream(length));
        void server.sendStream(new ByteStream(length), length).then(() => server.end());
        // Each is a round trip in which the relay can read what it will.
        for (let count = 0; count < 20; count++) await client.pings(server);
        accepted.abort();
        await server.getsReset();
        client.resume();
        await client.getsAllOrReset(length);
        await accepted.ends("aborted");
      }
    },
  },
  {
    name: "does nothing when a client that has ended is aborted",
    contract: "abort() does nothing if the client has ended.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const first = await harness.connect(listener, backend);
      first.accepted.onEvent = event => {
        if (event === "ended") first.accepted.abort();
      };
      first.client.end();
      first.server.end();
      await first.accepted.ends("finished");
      const second = await harness.connect(listener, backend);
      first.accepted.abort();
      second.client.send("stays");
      await second.server.gets("stays");
      second.accepted.abort();
      second.accepted.abort();
      await second.accepted.ends("aborted");
    },
  },
  {
    name: "can abort from within every event, and from within onClient()",
    contract: aborting,
    async check(harness) {
      const [backend, refusing] = [await harness.backend(), await harness.refusingAddress()];
      const listener = await harness.listen();
      for (const address of [backend.address, refusing]) {
        const { client, accepted } = await harness.accept(listener);
        accepted.onEvent = event => {
          if (event !== "ended") accepted.abort();
        };
        accepted.dial(address);
        await (address === refusing ? accepted.dialFails("refused") : accepted.isConnected());
        await client.getsReset();
        await accepted.ends("aborted");
      }
      const aborted: AcceptedClient[] = [];
      const aborting = await harness.listen({
        onClient(accepted) {
          aborted.push(accepted);
          accepted.abort();
          return true;
        },
      });
      const client = harness.client(aborting.address);
      await client.getsReset();
      for (const accepted of aborted) await accepted.ends("aborted");
    },
  },
];
