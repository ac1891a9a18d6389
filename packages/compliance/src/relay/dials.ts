import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { RelayCase } from "../test-support/harness.js";
import { Surprise } from "../test-support/waitable.js";

const failed = "After a dial that failed the client waits for another.";

/** What becomes of dials that fail, and of the clients that wait for them. */
export const dialCases: readonly RelayCase[] = [
  {
    name: "tells that a dial was refused, and dials again for the same client",
    contract: failed,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.send("early");
      for (let count = 0; count < 3; count++) {
        served.dial(nobody);
        await served.failsToDial("refused");
      }
      served.dial(backend.address);
      await served.isConnected();
      const server = await backend.next();
      await server.gets("early");
      server.end("answer");
      await client.getsEnd("answer");
    },
  },
  {
    name: "dials again from within dialFailed()",
    contract: failed,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.end("early");
      served.react = event => {
        if (event === "dialFailed") served.dial(backend.address);
      };
      served.dial(nobody);
      await served.failsToDial("refused");
      await served.isConnected();
      await (await backend.next()).getsEnd("early");
    },
  },
  {
    name: "tells that a dial got no answer in time, and dials again for the same client",
    contract: failed,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      client.send("early");
      const since = performance.now();
      served.dial(hole, 300);
      await served.failsToDial("timed-out");
      const tookMs = performance.now() - since;
      if (tookMs < 295) throw new Surprise(`a dial that may take 300 ms was given up after ${tookMs} ms`);
      served.dial(backend.address);
      await served.isConnected();
      await (await backend.next()).gets("early");
    },
  },
  {
    name: "tells that an address cannot be reached, though the system says so at once",
    contract: failed,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { served } = await bench.accepted(door);
      // TCP has no broadcast.
      served.dial({ host: "255.255.255.255", port: 9 });
      await served.failsToDial();
      served.dial(backend.address);
      await served.isConnected();
    },
  },
  {
    name: "goes on with the dial for a client that ends its output meanwhile",
    contract: "An end of input on one side becomes a shutdown of the other's write side.",
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      served.dial(hole, 300);
      client.end("question");
      await served.failsToDial("timed-out");
      served.dial(backend.address);
      await served.isConnected();
      const server = await backend.next();
      await server.getsEnd("question");
      server.end("answer");
      await client.getsEnd("answer");
      await served.ends("finished");
    },
  },
];

const cancelled =
  "cancelDial() gives up the dial: no event of it follows, and the client may be dialled for again.";
const gone = "If a client goes away while it is dialled for, its end follows.";

/** What becomes of dials that nobody waits for any more: they were given up, or their client is gone. */
export const cancelledDialCases: readonly RelayCase[] = [
  {
    name: "gives up a dial that gets no answer, and dials again for the same client",
    contract: cancelled,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      client.send("early");
      served.dial(hole);
      await eventLoopTurn();
      served.cancelDial();
      served.dial(hole);
      served.cancelDial();
      served.dial(backend.address);
      await served.isConnected();
      const server = await backend.next();
      client.end(", late");
      await server.getsEnd("early, late");
      server.end();
      await served.ends("finished");
    },
  },
  {
    name: "gives up a dial whenever it is told to, and loses nothing unseen",
    contract: cancelled,
    async check(bench) {
      const [door, right] = [await bench.listen(), await bench.backend()];
      for (let round = 0; round < 200; round++) {
        const wrong = await bench.backend();
        const { client, served } = await bench.accepted(door);
        await client.send(`early ${round}`);
        for (let turn = 0; turn < round % 4; turn++) await eventLoopTurn();
        served.dial(wrong.address);
        for (let turn = 0; turn < round % 5; turn++) await eventLoopTurn();
        const won = served.pending > 0;
        if (!won) {
          served.cancelDial();
          served.dial(right.address);
        }
        if (!(await served.isConnectedUnlessTooLate())) {
          await client.noticesReset();
          continue;
        }
        const server = await (won ? wrong : right).next();
        await server.gets(`early ${round}`);
        server.end();
        client.end();
        await served.ends("finished");
        if (won) continue;
        for (const peer of wrong.peers) {
          await peer.until(
            () => peer.fate,
            () => `${peer}, of a dial that was given up`,
          );
          if (peer.received > 0) throw new Surprise(`${peer}, of a dial that was given up`);
        }
      }
    },
  },
  {
    name: "ends a client that is reset while it is dialled for",
    contract: gone,
    async check(bench) {
      const [door, hole] = [await bench.listen(), await bench.blackHole()];
      for (const early of ["", "early"]) {
        const { client, served } = await bench.accepted(door);
        if (early) await client.send(early);
        served.dial(hole);
        await eventLoopTurn();
        await client.reset();
        await served.ends("client-failed", "reset");
      }
    },
  },
  {
    name: "ends a client that was reset shortly before its dial",
    contract: gone,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      for (let round = 0; round < 20; round++) {
        const { client, served } = await bench.accepted(door);
        await client.reset();
        for (let turn = 0; turn < round % 5; turn++) await eventLoopTurn();
        if (!served.end) served.dial(backend.address);
        await served.until(
          () => served.end,
          () => `ended() is missing (so far: ${served})`,
        );
        if (served.end?.reason !== "client-failed") throw new Surprise(`${served}`);
      }
      await bench.lull();
    },
  },
];
