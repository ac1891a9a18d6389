import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";

const failed = "After a dial that failed the client waits for another.";

/** Dials that fail, and their clients. */
export const dialCases: readonly RelayCase[] = [
  {
    name: "reports that a dial was refused, and dials again for the same client",
    contract: failed,
    async check(harness) {
      const [listener, backend, refusing] = [
        await harness.listen(),
        await harness.backend(),
        await harness.refusingAddress(),
      ];
      const { client, accepted } = await harness.accept(listener);
      client.send("early");
      for (let count = 0; count < 3; count++) {
        accepted.dial(refusing);
        await accepted.dialFails("refused");
      }
      accepted.dial(backend.address);
      await accepted.isConnected();
      const server = await backend.next();
      await server.gets("early");
      server.end("answer");
      await client.getsEnd("answer");
    },
  },
  {
    name: "dials again from within dialFailed()",
    contract: failed,
    async check(harness) {
      const [listener, backend, refusing] = [
        await harness.listen(),
        await harness.backend(),
        await harness.refusingAddress(),
      ];
      const { client, accepted } = await harness.accept(listener);
      client.end("early");
      accepted.onEvent = event => {
        if (event === "dialFailed") accepted.dial(backend.address);
      };
      accepted.dial(refusing);
      await accepted.dialFails("refused");
      await accepted.isConnected();
      await (await backend.next()).getsEnd("early");
    },
  },
  {
    name: "reports that a dial timed out, and dials again for the same client",
    contract: failed,
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const { client, accepted } = await harness.accept(listener);
      client.send("early");
      const since = performance.now();
      accepted.dial(hole, 300);
      await accepted.dialFails("timed-out");
      const tookMs = performance.now() - since;
      // The clock of a relay may be coarse.
      if (tookMs < 0.8 * 300) throw new Mismatch(`a dial that may take 300 ms timed out after ${tookMs} ms`);
      accepted.dial(backend.address);
      await accepted.isConnected();
      await (await backend.next()).gets("early");
    },
  },
  {
    name: "reports an unreachable address after dial() has returned",
    contract: failed,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const { accepted } = await harness.accept(listener);
      // TCP has no broadcast.
      accepted.dial({ host: "255.255.255.255", port: 9 });
      await accepted.dialFails();
      accepted.dial(backend.address);
      await accepted.isConnected();
    },
  },
  {
    name: "continues a dial whose client ends its output meanwhile",
    contract: "An end of input on one side becomes a shutdown of the other's write side.",
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const { client, accepted } = await harness.accept(listener);
      accepted.dial(hole, 300);
      client.end("question");
      await accepted.dialFails("timed-out");
      accepted.dial(backend.address);
      await accepted.isConnected();
      const server = await backend.next();
      await server.getsEnd("question");
      server.end("answer");
      await client.getsEnd("answer");
      await accepted.ends("finished");
    },
  },
];

const cancelled =
  "cancelDial() cancels the dial: it causes no event, and the client may be dialled for again.";
const gone = "If a client disconnects while it is dialled for, its end follows.";

/** Dials that are cancelled, or whose client is gone. */
export const cancelledDialCases: readonly RelayCase[] = [
  {
    name: "cancels a dial that gets no answer, and dials again for the same client",
    contract: cancelled,
    async check(harness) {
      const [listener, backend, hole] = [
        await harness.listen(),
        await harness.backend(),
        await harness.blackHole(),
      ];
      const { client, accepted } = await harness.accept(listener);
      client.send("early");
      accepted.dial(hole);
      await eventLoopTurn();
      accepted.cancelDial();
      accepted.dial(hole);
      accepted.cancelDial();
      accepted.dial(backend.address);
      await accepted.isConnected();
      const server = await backend.next();
      client.end(", late");
      await server.getsEnd("early, late");
      server.end();
      await accepted.ends("finished");
    },
  },
  {
    name: "cancels dials at any time, and resets the client where bytes were lost",
    contract: cancelled,
    async check(harness) {
      const [listener, right] = [await harness.listen(), await harness.backend()];
      for (let round = 0; round < 200; round++) {
        const wrong = await harness.backend();
        const { client, accepted } = await harness.accept(listener);
        await client.send(`early ${round}`);
        for (let turn = 0; turn < round % 4; turn++) await eventLoopTurn();
        accepted.dial(wrong.address);
        for (let turn = 0; turn < round % 5; turn++) await eventLoopTurn();
        const won = accepted.pending > 0;
        if (!won) {
          accepted.cancelDial();
          accepted.dial(right.address);
        }
        if (!(await accepted.isConnectedUnlessTooLate())) {
          await client.noticesReset();
          continue;
        }
        const server = await (won ? wrong : right).next();
        await server.gets(`early ${round}`);
        server.end();
        client.end();
        await accepted.ends("finished");
        if (won) continue;
        for (const peer of wrong.peers) {
          await peer.until(
            () => peer.inputEnd,
            () => `${peer}, of a cancelled dial`,
          );
          if (peer.received > 0) throw new Mismatch(`${peer}, of a cancelled dial`);
        }
      }
    },
  },
  {
    name: "ends a client that is reset while it is dialled for",
    contract: gone,
    async check(harness) {
      const [listener, hole] = [await harness.listen(), await harness.blackHole()];
      for (const early of ["", "early"]) {
        const { client, accepted } = await harness.accept(listener);
        if (early) await client.send(early);
        accepted.dial(hole);
        await eventLoopTurn();
        await client.reset();
        await accepted.ends("client-failed", "reset");
      }
    },
  },
  {
    name: "ends a client that was reset shortly before its dial",
    contract: gone,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      for (let round = 0; round < 20; round++) {
        const { client, accepted } = await harness.accept(listener);
        await client.reset();
        for (let turn = 0; turn < round % 5; turn++) await eventLoopTurn();
        if (!accepted.end) accepted.dial(backend.address);
        await accepted.until(
          () => accepted.end,
          () => `ended() is missing (so far: ${accepted})`,
        );
        if (accepted.end?.reason !== "client-failed") throw new Mismatch(`${accepted}`);
      }
      await harness.roundTrips();
    },
  },
];
