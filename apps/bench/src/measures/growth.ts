import type { Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { exchangeFigures, exchangeOf } from "./request-response.js";
import { underLoad } from "./under-load.js";

const outstanding = 10;

/** How CPU time and memory grow with the number of open connections. */
export const growth: Measure = {
  name: "growth",
  title: "growth",
  how: `128 B request/response over all connections in turn, ${outstanding} requests under way at any time: the cases differ only in the number of open connections.`,
  figures: [
    ...exchangeFigures.filter(({ key }) => ["rate", "p99", "cpu"].includes(key)),
    { key: "memory", title: "proxy memory", unit: "MB", better: "less" },
  ],
  maxRounds: 3,
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    let warmup = scale.firstWarmupMs;
    for (const connections of scale.connections) {
      await sample(`${connections.toLocaleString("en")} open`, async () => {
        const settings = { connections, outstanding, size: 128, warmup, measure: scale.measureMs };
        const { memory, ...result } = await underLoad(load, running, "rr", settings);
        const { rate, p99, cpu } = exchangeOf(result);
        return { rate, p99, cpu, memory: memory / 1e6 };
      });
      warmup = scale.warmupMs;
    }
  },
};
