import type { Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { underLoad } from "./under-load.js";

const lanes = 64;

/** How fast connections are opened and closed. */
export const connectionRate: Measure = {
  name: "connect",
  title: "connections",
  how: `${lanes} lanes: connect, one byte each way, close, and again. The client closes first.`,
  figures: [
    { key: "rate", title: "rate", unit: "/s", better: "more" },
    { key: "p50", title: "p50", unit: "µs", better: "less" },
    { key: "p99", title: "p99", unit: "µs", better: "less" },
    { key: "cpu", title: "proxy CPU per connection", unit: "µs", better: "less" },
  ],
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    await sample(`${lanes} at a time`, async () => {
      const settings = { connections: lanes, warmup: scale.firstWarmupMs, measure: scale.measureMs };
      const { report, cpuPerSecond } = await underLoad(load, running, "connect", settings);
      const { count = 0, seconds = 1, p50 = 0, p99 = 0 } = report;
      const rate = count / seconds;
      return { rate, p50, p99, cpu: (cpuPerSecond / rate) * 1e6 };
    });
  },
};
