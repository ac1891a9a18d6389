import { readFileSync } from "node:fs";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import type { Peer } from "../test-support/peer.js";
import { ByteStream } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";

const MiB = 1024 * 1024;
const bounded = "What the relay buffers for a connection is bounded.";

/** More than any relay should buffer for one connection. */
const relayBytes = 16 * MiB;
/** What the kernel may buffer between the relay and a reader. */
const kernelBytes = largestBuffer("tcp_wmem") + largestBuffer("tcp_rmem");
const bound = relayBytes + kernelBytes;
/** So much that a relay without a bound exceeds it. */
const plenty = 2 * bound;

/** Readers that are slower than the senders. */
export const backpressureCases: readonly RelayCase[] = [
  {
    name: "holds back a backend whose client does not read, and loses nothing",
    contract: bounded,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      await expectBackpressure(server, client, () => accepted.client.bytesFromBackend);
    },
  },
  {
    name: "holds back a client whose backend does not read, and loses nothing",
    contract: bounded,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      await expectBackpressure(client, server, () => accepted.client.bytesFromClient);
    },
  },
  {
    name: "holds back a client that is not connected yet, and loses nothing",
    contract: bounded,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const { client, accepted } = await harness.accept(listener);
      const other = await harness.connect(listener, backend);
      const stream = new ByteStream(6);
      const poured = client.sendStream(stream, plenty);
      for (let count = 0; count < 1_000; count++) await other.client.pings(other.server);
      if (accepted.client.bytesFromClient > relayBytes)
        throw new Mismatch(
          `${accepted.client.bytesFromClient} bytes were read from a client without a backend`,
        );
      accepted.dial(backend.address);
      const server = await backend.next();
      server.expect(stream);
      await accepted.isConnected();
      await server.getsBytes(plenty);
      await poured;
    },
  },
  {
    name: "mixes up no bytes of many connections whose readers are slow",
    contract: "Every byte is passed on, to the other side of its connection.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const all: Promise<unknown>[] = [];
      const readers: Peer[] = [];
      for (let index = 0; index < 16; index++) {
        const { client, server } = await harness.connect(listener, backend);
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          const stream = new ByteStream(readers.push(to));
          to.pause();
          to.expect(stream);
          all.push(from.sendStream(stream, 8 * MiB));
        }
      }
      await harness.roundTrips();
      for (const reader of readers) all.push(reader.readsSlowly(8 * MiB));
      await Promise.all(all);
    },
  },
];

/** Makes `from` send while `to` does not read, then reads slowly, then reads the rest. */
async function expectBackpressure(from: Peer, to: Peer, bytesRead: () => number): Promise<void> {
  const stream = new ByteStream(7);
  to.expect(stream);
  to.pause();
  const poured = from.sendStream(stream, plenty);
  // Each is a round trip in which the relay can read what is sent.
  for (let count = 0; count < 1_000; count++) {
    await to.pings(from);
    demandBound(bytesRead() - to.received);
  }
  for (let count = 0; count < 200; count++) {
    to.readOnce();
    await eventLoopTurn();
    demandBound(bytesRead() - to.received);
  }
  to.resume();
  await to.getsBytes(plenty);
  await poured;
}

function demandBound(held: number): void {
  if (held > bound)
    throw new Mismatch(
      `${held} bytes were read that had not arrived, of which the system holds ${kernelBytes}`,
    );
}

/** The third field of the setting: the most that the kernel buffers for one socket. A guess where it is unknown. */
function largestBuffer(setting: string): number {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${setting}`, "utf8").split(/\s+/)[2]) || 32 * MiB;
  } catch {
    return 32 * MiB;
  }
}
