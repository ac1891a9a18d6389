import { dialRace } from "@gw/interface";
import {
  descriptorsAreKnown,
  descriptorsFallTo,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";

const race =
  "Of several addresses, the next is dialled in parallel when those before have not accepted after a delay.";
const failed = "A dial has failed when all of its addresses have.";

/** The clock of a relay may be coarse: a wait may be shorter by this factor. */
const coarse = 0.8;

/** Dials to several addresses of one host. */
export const dialRaceCases: readonly RelayCase[] = [
  {
    name: "dials the next address in parallel with one that does not answer, after the delay",
    contract: race,
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const { client, accepted } = await harness.accept(listener);
      await client.send("early");
      const since = performance.now();
      accepted.dial([hole, backend.address]);
      await accepted.isConnected(backend.address);
      const tookMs = performance.now() - since;
      if (tookMs < coarse * dialRace.attemptDelayMs)
        throw new Mismatch(`the second address was dialled after ${tookMs} ms`);
      const server = await backend.next();
      await server.gets("early");
      server.end("answer");
      await client.getsEnd("answer");
      client.end();
      await accepted.ends("finished");
    },
  },
  {
    name: "dials the next address at once after a refusal",
    contract: race,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const refused = await Promise.all(
        Array.from({ length: dialRace.addresses - 1 }, () => harness.refusingAddress()),
      );
      const { client, accepted } = await harness.accept(listener);
      const since = performance.now();
      accepted.dial([...refused, backend.address]);
      await accepted.isConnected(backend.address);
      const tookMs = performance.now() - since;
      // What it takes at least to wait for the delay after each of them.
      if (tookMs > coarse * refused.length * dialRace.attemptDelayMs)
        throw new Mismatch(`after ${refused.length} refused addresses it was connected after ${tookMs} ms`);
      client.end("question");
      await (await backend.next()).getsEnd("question");
    },
  },
  {
    name: "does not dial the second address where the first accepts",
    contract: race,
    async check(harness) {
      const [listener, first, second] = [
        await harness.listen(),
        await harness.backend(),
        await harness.backend(),
      ];
      for (let round = 0; round < 20; round++) {
        const { client, accepted } = await harness.accept(listener);
        accepted.dial([first.address, second.address]);
        await accepted.isConnected(first.address);
        client.end(`question ${round}`);
        const server = await first.next();
        await server.getsEnd(`question ${round}`);
        server.end();
        await accepted.ends("finished");
      }
      if (second.peers.length > 0) throw new Mismatch(`${second.peers.length} dials to the second address`);
    },
  },
  {
    name: "closes the connections that lose the race",
    contract: "Connections that lose the race are closed, and no byte moves to or from them.",
    possible: descriptorsAreKnown,
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const before = openDescriptors();
      const rounds = 10;
      const clients = await Promise.all(
        Array.from({ length: rounds }, async () => {
          const { client, accepted } = await harness.accept(listener);
          accepted.dial([hole, backend.address]);
          await accepted.isConnected(backend.address);
          return { client, accepted };
        }),
      );
      for (let round = 0; round < rounds; round++) await backend.next();
      const inUse = 4 * rounds;
      // A relay may keep pipes for later connections.
      await descriptorsFallTo(before + inUse + rounds / 2, harness.sizes.limitMs);
      for (const { client } of clients) client.end();
    },
  },
  {
    name: "cancels all addresses of a dial, and dials again for the same client",
    contract: "cancelDial() cancels the dial: it causes no event, and the client may be dialled for again.",
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const other = await harness.backend();
      const { client, accepted } = await harness.accept(listener);
      await client.send("early");
      accepted.dial([hole, hole, hole, other.address]);
      // Whether the second is under way by then makes no difference.
      await new Promise(resolve => setTimeout(resolve, 1.2 * dialRace.attemptDelayMs));
      accepted.cancelDial();
      accepted.dial([hole, backend.address]);
      await accepted.isConnected(backend.address);
      client.end(", late");
      await (await backend.next()).getsEnd("early, late");
      if (other.peers.length > 0) throw new Mismatch("an address of the cancelled dial was dialled");
    },
  },
  {
    name: "reports that a dial failed when the last of its addresses has",
    contract: failed,
    async check(harness) {
      const [listener, hole] = [await harness.listen(), await harness.blackHole()];
      const refused = [await harness.refusingAddress(), await harness.refusingAddress()];
      const { accepted } = await harness.accept(listener);
      accepted.dial(refused);
      await accepted.dialFails("refused");
      const since = performance.now();
      accepted.dial([hole, ...refused], 600);
      await accepted.dialFails("timed-out");
      const tookMs = performance.now() - since;
      if (tookMs < coarse * 600)
        throw new Mismatch(`an address that may take 600 ms timed out after ${tookMs} ms`);
      accepted.dial([hole, hole], 300);
      await accepted.dialFails("timed-out");
    },
  },
  {
    name: "ends a client that is reset while several addresses are dialled for it",
    contract: "If a client disconnects while it is dialled for, its end follows.",
    async check(harness) {
      const [listener, hole] = [await harness.listen(), await harness.blackHole()];
      const { client, accepted } = await harness.accept(listener);
      accepted.dial([hole, hole, hole]);
      await new Promise(resolve => setTimeout(resolve, 1.2 * dialRace.attemptDelayMs));
      await client.reset();
      await accepted.ends("client-failed", "reset");
    },
  },
  {
    name: "leaves out addresses after the sixteenth",
    contract: "Addresses after the sixteenth are left out.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const refused = await Promise.all(
        Array.from({ length: dialRace.addresses }, () => harness.refusingAddress()),
      );
      const { accepted } = await harness.accept(listener);
      accepted.dial([...refused, backend.address]);
      await accepted.dialFails("refused");
    },
  },
];
