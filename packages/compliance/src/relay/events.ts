import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { invariants } from "../test-support/accepted-client.js";
import type { RelayCase } from "../test-support/harness.js";

/** When the relay reports events, and how often. */
export const eventCases: readonly RelayCase[] = [
  {
    name: "reports each end exactly once, after all other events",
    contract: invariants.once,
    async check(harness) {
      const [listener, backend, refusing] = [
        await harness.listen(),
        await harness.backend(),
        await harness.refusingAddress(),
      ];
      for (let round = 0; round < 10; round++) {
        const finished = await harness.connect(listener, backend);
        const failed = await harness.connect(listener, backend);
        const aborted = await harness.connect(listener, backend);
        const closed = await harness.accept(listener);
        const undialled = await harness.accept(listener);
        finished.client.end();
        finished.server.end();
        await failed.server.reset();
        await failed.client.reset();
        aborted.accepted.abort();
        await aborted.client.reset();
        closed.accepted.close();
        undialled.accepted.dial(refusing);
        undialled.accepted.abort();
        await finished.accepted.ends("finished");
        await failed.accepted.until(
          () => failed.accepted.end,
          () => `ended() is missing (${failed.accepted})`,
        );
        await aborted.accepted.ends("aborted");
        await closed.accepted.ends("closed");
        await undialled.accepted.ends("aborted");
      }
      // A late event would be reported before those of a later client.
      const last = await harness.connect(listener, backend);
      last.accepted.abort();
      await last.accepted.ends("aborted");
      await eventLoopTurn();
    },
  },
  {
    name: "reports no event from within a method of the client",
    contract: invariants.outside,
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const connected = await harness.connect(listener, backend);
      connected.accepted.abort();
      await connected.accepted.ends("aborted");
      const dialled = await harness.accept(listener);
      dialled.accepted.dial({ host: "255.255.255.255", port: 9 });
      dialled.accepted.cancelDial();
      dialled.accepted.dial(backend.address);
      dialled.accepted.abort();
      await dialled.accepted.ends("aborted");
      const waiting = await harness.accept(listener);
      waiting.accepted.close();
      await waiting.accepted.ends("closed");
    },
  },
];
