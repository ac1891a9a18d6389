import { readFileSync } from "node:fs";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import type { Peer } from "../test-support/peer.js";
import { ByteStream } from "../test-support/random.js";
import { Surprise } from "../test-support/waitable.js";

const MiB = 1024 * 1024;
const bounded = "What is held in memory for a connection is bounded.";

/** More than any relay should hold for one connection. */
const relayBytes = 16 * MiB;
/** What the kernel may hold on the way from the relay to a reader. */
const kernelBytes = largestBuffer("tcp_wmem") + largestBuffer("tcp_rmem");
const bound = relayBytes + kernelBytes;
/** So much that a relay without a bound is found out. */
const plenty = 2 * bound;

/** What becomes of readers that are slower than those who send. */
export const backpressureCases: readonly RelayCase[] = [
  {
    name: "holds back a backend whose client does not read, and loses nothing",
    contract: bounded,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      await holdsBack(server, client, () => served.client.bytesFromBackend);
    },
  },
  {
    name: "holds back a client whose backend does not read, and loses nothing",
    contract: bounded,
    async check(bench) {
      const { client, server, served } = await bench.connection();
      await holdsBack(client, server, () => served.client.bytesFromClient);
    },
  },
  {
    name: "holds back a client that is not connected yet, and loses nothing",
    contract: bounded,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { client, served } = await bench.accepted(door);
      const other = await bench.connected(door, backend);
      const stream = new ByteStream(6);
      const poured = client.pour(stream, plenty);
      for (let count = 0; count < 1_000; count++) await other.client.pings(other.server);
      if (served.client.bytesFromClient > relayBytes)
        throw new Surprise(
          `${served.client.bytesFromClient} bytes were read from a client without a backend`,
        );
      served.dial(backend.address);
      const server = await backend.next();
      server.expect(stream);
      await served.isConnected();
      await server.getsBytes(plenty);
      await poured;
    },
  },
  {
    name: "mixes up no bytes of many connections whose readers are slow",
    contract: "Every byte is passed on, to the other side of its connection.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const all: Promise<unknown>[] = [];
      const readers: Peer[] = [];
      for (let index = 0; index < 16; index++) {
        const { client, server } = await bench.connected(door, backend);
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          const stream = new ByteStream(readers.push(to));
          to.hold();
          to.expect(stream);
          all.push(from.pour(stream, 8 * MiB));
        }
      }
      await bench.lull();
      for (const reader of readers) all.push(reader.sipsTo(8 * MiB));
      await Promise.all(all);
    },
  },
];

/** Lets `from` send while `to` does not read, then reads slowly, then all the rest. */
async function holdsBack(from: Peer, to: Peer, bytesRead: () => number): Promise<void> {
  const stream = new ByteStream(7);
  to.expect(stream);
  to.hold();
  const poured = from.pour(stream, plenty);
  // Each of these passes through the relay, which gets as much time to read all that is sent.
  for (let count = 0; count < 1_000; count++) {
    await to.pings(from);
    demandBound(bytesRead() - to.received);
  }
  for (let count = 0; count < 200; count++) {
    to.sip();
    await eventLoopTurn();
    demandBound(bytesRead() - to.received);
  }
  to.flow();
  await to.getsBytes(plenty);
  await poured;
}

function demandBound(held: number): void {
  if (held > bound)
    throw new Surprise(
      `${held} bytes were read that had not arrived, of which the system holds ${kernelBytes}`,
    );
}

/** The third field of the setting: the most that the kernel gives one socket. Where it is not known, a guess. */
function largestBuffer(setting: string): number {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/${setting}`, "utf8").split(/\s+/)[2]) || 32 * MiB;
  } catch {
    return 32 * MiB;
  }
}
