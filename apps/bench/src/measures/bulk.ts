import type { Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { underLoad } from "./under-load.js";

/** One-way bulk, each way. */
export const bulk: Measure = {
  name: "bulk",
  title: "bulk",
  how: "One side sends as fast as the other takes it. Received data is dropped in the kernel without a copy, so that the proxy has the cores.",
  figures: [
    { key: "rate", title: "rate", unit: "MB/s", better: "more" },
    { key: "cpu", title: "proxy CPU per GB", unit: "s", better: "less" },
  ],
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    let warmup = scale.firstWarmupMs;
    for (const direction of ["up", "down"])
      for (const connections of [1, 4]) {
        await sample(`${connections} ${direction}`, async () => {
          const settings = { connections, direction, warmup, measure: scale.measureMs };
          const { report, cpuPerSecond } = await underLoad(load, running, "bulk", settings);
          const { bytes = 0, seconds = 1 } = report;
          const rate = bytes / seconds;
          return { rate: rate / 1e6, cpu: cpuPerSecond / (rate / 1e9) };
        });
        warmup = scale.warmupMs;
      }
  },
};
