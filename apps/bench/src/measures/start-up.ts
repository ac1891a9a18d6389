import { setTimeout } from "node:timers/promises";
import { freePort } from "@gw/testing";
import type { Measure, MeasureContext, Subject } from "../contract.js";
import { processGroup } from "../process-group.js";
import { killGroup } from "../running-subject.js";
import { temporaryFolder } from "../temporary-folder.js";

/** How soon a subject serves, and the memory and descriptors that it needs before it has clients. */
export const startUp: Measure = {
  name: "start",
  title: "start",
  how: "Time from exec until a connection through the proxy returns a byte, tried every 250 µs; then memory.",
  figures: [
    { key: "ready", title: "time to ready", unit: "ms", better: "less" },
    { key: "memory", title: "base memory", unit: "MB", better: "less" },
    { key: "descriptors", title: "descriptors", unit: "", better: "less" },
  ],
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    using folder = temporaryFolder();
    const listen = `127.0.0.1:${await freePort()}`;
    const command = await subject.command({ listen, backends: [backend.address], folder: folder.path });
    if (command)
      await sample("from exec", async () => {
        await using program = load.start("ready", { to: listen }, command);
        try {
          const { ms = 0 } = await program.event("ready", 30_000);
          await setTimeout(scale.settleMs);
          // The load program leads the group and is not measured.
          const group = processGroup(program.pid, program.pid);
          if (!group.alive()) throw new Error("it ended");
          return { ready: ms, memory: group.memory() / 1e6, descriptors: group.descriptors() };
        } finally {
          killGroup(program.pid);
        }
      });
  },
};
