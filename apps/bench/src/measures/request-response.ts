import type { Figure, Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { type LoadResult, underLoad } from "./under-load.js";

const connectionCounts = [1, 64];
const sizes = [
  { bytes: 128, title: "128 B" },
  { bytes: 16_384, title: "16 KiB" },
];

/** The figures of a round trip, here and in the measure `growth`. */
export const exchangeFigures: readonly Figure[] = [
  { key: "rate", title: "rate", unit: "/s", better: "more" },
  { key: "p50", title: "p50", unit: "µs", better: "less" },
  { key: "p90", title: "p90", unit: "µs", better: "less" },
  { key: "p99", title: "p99", unit: "µs", better: "less" },
  { key: "p999", title: "p99.9", unit: "µs", better: "less" },
  { key: "cpu", title: "proxy CPU per round trip", unit: "µs", better: "less" },
];

/** Small and large messages, one client and many. */
export const requestResponse: Measure = {
  name: "rr",
  title: "request/response",
  how: "Closed loop: each connection sends a request, waits for the response of the same size, and sends the next. Replies are checked.",
  figures: exchangeFigures,
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    let warmup = scale.firstWarmupMs;
    for (const { bytes, title } of sizes)
      for (const connections of connectionCounts) {
        await sample(`${connections} × ${title}`, async () => {
          const settings = { connections, size: bytes, warmup, measure: scale.measureMs };
          return exchangeOf(await underLoad(load, running, "rr", settings));
        });
        warmup = scale.warmupMs;
      }
  },
};

/** The figures of a run of the part `rr`. */
export function exchangeOf({ report, cpuPerSecond }: Pick<LoadResult, "report" | "cpuPerSecond">): {
  readonly [figure in "rate" | "p50" | "p90" | "p99" | "p999" | "cpu"]: number;
} {
  const { count = 0, seconds = 1, p50 = 0, p90 = 0, p99 = 0, p999 = 0 } = report;
  const rate = count / seconds;
  return { rate, p50, p90, p99, p999, cpu: (cpuPerSecond / rate) * 1e6 };
}
