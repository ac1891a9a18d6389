import type { Figure, Figures, Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { holdOpen } from "./idle.js";
import { underLoad } from "./under-load.js";

/** Connections that the load program opens and closes at the same time. */
export const lanes = 64;

/** The figures of opening and closing connections, here and in the measures of `scaling.ts`. */
export const connectionFigures: readonly Figure[] = [
  { key: "rate", title: "rate", unit: "/s", better: "more" },
  { key: "p50", title: "p50", unit: "µs", better: "less" },
  { key: "p99", title: "p99", unit: "µs", better: "less" },
  { key: "cpu", title: "proxy CPU per connection", unit: "µs", better: "less" },
];

/** How fast connections are opened and closed. */
export const connectionRate: Measure = {
  name: "connect",
  title: "connections",
  how: `${lanes} lanes: connect, one byte each way, close, and again. The client closes first.`,
  figures: connectionFigures,
  run: (subject, bench) =>
    bench.sample(`${lanes} at a time`, async () => {
      const { memory: _, ...figures } = await connect(subject, bench);
      return figures;
    }),
};

/** Under which circumstances connections are opened and closed. */
export interface Circumstances {
  /** Threads of the proxy. @default what it has by itself */
  readonly threads?: number;
  /** Endpoints that take connections in turn, without health checks. @default 1, as the subject does by itself */
  readonly endpoints?: number;
  /** Idle connections that are open meanwhile. @default 0 */
  readonly open?: number;
}

/** Starts the subject and opens and closes connections; the figures, and the memory of the proxy afterwards in MB. */
export async function connect(
  subject: Subject,
  { load, scale }: MeasureContext,
  { threads, endpoints, open = 0 }: Circumstances = {},
): Promise<Figures> {
  await using backend = await load.serve(endpoints);
  await using running = await startSubject(subject, backend, { threads, inTurn: endpoints !== undefined });
  await using _ = open > 0 ? await holdOpen(load, running, open) : undefined;
  const settings = { connections: lanes, warmup: scale.firstWarmupMs, measure: scale.measureMs };
  const { report, cpuPerSecond, memory } = await underLoad(load, running, "connect", settings);
  const { count = 0, seconds = 1, p50 = 0, p99 = 0 } = report;
  const rate = count / seconds;
  return { rate, p50, p99, cpu: (cpuPerSecond / rate) * 1e6, memory: memory / 1e6 };
}
