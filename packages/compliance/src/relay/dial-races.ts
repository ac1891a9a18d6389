import { dialRace } from "@gw/interface";
import {
  descriptorsAreKnown,
  descriptorsFallTo,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Surprise } from "../test-support/waitable.js";

const race = "Of several addresses the next is dialled beside those that have not accepted after a delay.";
const failed = "A dial has failed when all of its addresses have.";

/** What becomes of dials to several addresses of one host. */
export const dialRaceCases: readonly RelayCase[] = [
  {
    name: "dials the next address beside one that does not answer, and not before its time",
    contract: race,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      await client.send("early");
      const since = performance.now();
      served.dial([hole, backend.address]);
      await served.isConnected(backend.address);
      const tookMs = performance.now() - since;
      // The clocks of relays may be coarse.
      if (tookMs < 0.8 * dialRace.attemptDelayMs)
        throw new Surprise(`the second address was dialled after ${tookMs} ms`);
      const server = await backend.next();
      await server.gets("early");
      server.end("answer");
      await client.getsEnd("answer");
      client.end();
      await served.ends("finished");
    },
  },
  {
    name: "dials the next address at once where one is refused",
    contract: race,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const refused = await Promise.all(Array.from({ length: dialRace.addresses - 1 }, () => bench.nobody()));
      const { client, served } = await bench.accepted(door);
      const since = performance.now();
      served.dial([...refused, backend.address]);
      await served.isConnected(backend.address);
      const tookMs = performance.now() - since;
      if (tookMs > (refused.length * dialRace.attemptDelayMs) / 2)
        throw new Surprise(`after ${refused.length} refused addresses it was connected after ${tookMs} ms`);
      client.end("question");
      await (await backend.next()).getsEnd("question");
    },
  },
  {
    name: "does not dial the second address where the first accepts",
    contract: race,
    async check(bench) {
      const [door, first, second] = [await bench.listen(), await bench.backend(), await bench.backend()];
      for (let round = 0; round < 20; round++) {
        const { client, served } = await bench.accepted(door);
        served.dial([first.address, second.address]);
        await served.isConnected(first.address);
        client.end(`question ${round}`);
        const server = await first.next();
        await server.getsEnd(`question ${round}`);
        server.end();
        await served.ends("finished");
      }
      if (second.peers.length > 0) throw new Surprise(`${second.peers.length} dials to the second address`);
    },
  },
  {
    name: "closes what loses",
    contract: "Those that lose are closed, and no byte moves to or from them.",
    possible: descriptorsAreKnown,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const before = openDescriptors();
      const rounds = 10;
      const clients = await Promise.all(
        Array.from({ length: rounds }, async () => {
          const { client, served } = await bench.accepted(door);
          served.dial([hole, backend.address]);
          await served.isConnected(backend.address);
          return { client, served };
        }),
      );
      for (let round = 0; round < rounds; round++) await backend.next();
      const inUse = 4 * rounds;
      // A relay may keep pipes and the like.
      await descriptorsFallTo(before + inUse + rounds / 2, bench.sizes.limitMs);
      for (const { client } of clients) client.end();
    },
  },
  {
    name: "gives up all addresses of a dial, and dials again for the same client",
    contract:
      "cancelDial() gives up the dial: no event of it follows, and the client may be dialled for again.",
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const other = await bench.backend();
      const { client, served } = await bench.accepted(door);
      await client.send("early");
      served.dial([hole, hole, hole, other.address]);
      // The second is under way then, or not: it makes no difference.
      await new Promise(resolve => setTimeout(resolve, 1.2 * dialRace.attemptDelayMs));
      served.cancelDial();
      served.dial([hole, backend.address]);
      await served.isConnected(backend.address);
      client.end(", late");
      await (await backend.next()).getsEnd("early, late");
      if (other.peers.length > 0) throw new Surprise("an address of the dial that was given up was dialled");
    },
  },
  {
    name: "tells that a dial failed when the last of its addresses has",
    contract: failed,
    async check(bench) {
      const [door, hole] = [await bench.listen(), await bench.blackHole()];
      const refused = [await bench.nobody(), await bench.nobody()];
      const { served } = await bench.accepted(door);
      served.dial(refused);
      await served.failsToDial("refused");
      const since = performance.now();
      served.dial([hole, ...refused], 600);
      await served.failsToDial("timed-out");
      const tookMs = performance.now() - since;
      if (tookMs < 590) throw new Surprise(`an address that may take 600 ms was given up after ${tookMs} ms`);
      served.dial([hole, hole], 300);
      await served.failsToDial("timed-out");
    },
  },
  {
    name: "ends a client that is reset while several addresses are dialled for it",
    contract: "If a client goes away while it is dialled for, its end follows.",
    async check(bench) {
      const [door, hole] = [await bench.listen(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      served.dial([hole, hole, hole]);
      await new Promise(resolve => setTimeout(resolve, 1.2 * dialRace.attemptDelayMs));
      await client.reset();
      await served.ends("client-failed", "reset");
    },
  },
  {
    name: "leaves out what is behind the sixteenth address",
    contract: "Addresses behind the sixteenth are left out.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const refused = await Promise.all(Array.from({ length: dialRace.addresses }, () => bench.nobody()));
      const { served } = await bench.accepted(door);
      served.dial([...refused, backend.address]);
      await served.failsToDial("refused");
    },
  },
];
