import type { Bench, Measure, Subject } from "../contract.js";
import { startSubject } from "../running.js";
import { exchange, exchangeFigures } from "./request-response.js";
import { underLoad } from "./under-load.js";

const outstanding = 10;

/** How the cost of a round trip, and of memory, grows with the connections that are open. */
export const growth: Measure = {
  name: "growth",
  title: "growth",
  how: `128 B request/response over all connections in turn, ${outstanding} requests under way at any time: the cases differ only in the number of open connections.`,
  figures: [
    ...exchangeFigures.filter(({ key }) => ["rate", "p99", "cpu"].includes(key)),
    { key: "memory", title: "proxy memory", unit: "MB", better: "less" },
  ],
  mostRounds: 3,
  async run(subject: Subject, { load, scale, sample }: Bench) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    let warmup = scale.firstWarmupMs;
    for (const connections of scale.growth) {
      await sample(`${connections.toLocaleString("en")} open`, async () => {
        const settings = { connections, outstanding, size: 128, warmup, measure: scale.measureMs };
        const { memory, ...result } = await underLoad(load, running, "rr", settings);
        const { rate, p99, cpu } = exchange(result);
        return { rate, p99, cpu, memory: memory / 1e6 };
      });
      warmup = scale.warmupMs;
    }
  },
};
