import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { always } from "../test-support/accepted-client.js";
import type { RelayCase } from "../test-support/harness.js";

/** When events come, and how often. */
export const eventCases: readonly RelayCase[] = [
  {
    name: "tells of each end exactly once, after all else",
    contract: always.once,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      for (let round = 0; round < 10; round++) {
        const finished = await bench.connected(door, backend);
        const failed = await bench.connected(door, backend);
        const killed = await bench.connected(door, backend);
        const closed = await bench.accepted(door);
        const unserved = await bench.accepted(door);
        finished.client.end();
        finished.server.end();
        await failed.server.reset();
        await failed.client.reset();
        killed.served.kill();
        await killed.client.reset();
        closed.served.close();
        unserved.served.dial(nobody);
        unserved.served.kill();
        await finished.served.ends("finished");
        await failed.served.until(
          () => failed.served.end,
          () => `ended() is missing (${failed.served})`,
        );
        await killed.served.ends("aborted");
        await closed.served.ends("closed");
        await unserved.served.ends("aborted");
      }
      // Whatever is late comes before what is told of a later client.
      const last = await bench.connected(door, backend);
      last.served.kill();
      await last.served.ends("aborted");
      await eventLoopTurn();
    },
  },
  {
    name: "calls no event from within what is called for a client",
    contract: always.outside,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const connected = await bench.connected(door, backend);
      connected.served.kill();
      await connected.served.ends("aborted");
      const dialled = await bench.accepted(door);
      dialled.served.dial({ host: "255.255.255.255", port: 9 });
      dialled.served.cancelDial();
      dialled.served.dial(backend.address);
      dialled.served.kill();
      await dialled.served.ends("aborted");
      const waiting = await bench.accepted(door);
      waiting.served.close();
      await waiting.served.ends("closed");
    },
  },
];
