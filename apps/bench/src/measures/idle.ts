import { setTimeout } from "node:timers/promises";
import type { Figures, Measure, MeasureContext, Subject } from "../contract.js";
import type { Load, LoadProgram } from "../load.js";
import { type RunningSubject, startSubject } from "../running-subject.js";
import { underLoad } from "./under-load.js";

/** More than any subject can hold. */
const asManyAsPossible = 1_000_000;

/** What idle connections cost; most connections to etcd are idle. */
export const idle: Measure = {
  name: "idle",
  title: "idle connections",
  how: "Each connection passes one byte each way and stays open. Memory and descriptors of the proxy are read before and after; kernel memory is not included. Before that, connections come and go for two seconds, as in `connect`: what the first connections of a process cost, such as code that is read from disk and a compiler's memory, counts in `soak`. At the limit: connections are opened until further ones fail; the load program can hold 32 fewer than the descriptor limit.",
  figures: [
    { key: "held", title: "connections held", unit: "", better: "more" },
    { key: "memory", title: "memory per connection", unit: "KB", better: "less" },
    { key: "descriptors", title: "descriptors per connection", unit: "", better: "less" },
  ],
  maxRounds: 3,
  async run(subject: Subject, bench: MeasureContext) {
    for (const connections of bench.scale.idle) {
      const limit = connections === Number.POSITIVE_INFINITY;
      const title = limit ? "at the descriptor limit" : `${connections.toLocaleString("en")} open`;
      await bench.sample(title, () => hold(subject, bench, limit ? undefined : connections));
    }
  },
};

/** Opens this many connections, or as many as possible, and returns what they cost. */
async function hold(
  subject: Subject,
  { load, scale }: MeasureContext,
  connections?: number,
): Promise<Figures> {
  await using backend = await load.serve();
  await using running = await startSubject(subject, backend);
  await underLoad(load, running, "connect", { connections: 64, warmup: 0, measure: scale.firstWarmupMs });
  await setTimeout(scale.settleMs);
  const before = reading(running.group);
  await using open = await holdOpen(load, running, connections);
  const { held } = open;
  await setTimeout(scale.settleMs);
  await running.check().catch(error => {
    throw new Error(`${held} held, then ${error.message}`);
  });
  const after = reading(running.group);
  return {
    held,
    memory: (after.memory - before.memory) / held / 1000,
    descriptors: (after.descriptors - before.descriptors) / held,
  };
}

/**
 * Opens connections through the subject. They stay open until the result is disposed of.
 *
 * @param connections - how many; fewer are an error. @default as many as possible
 */
export async function holdOpen(
  load: Load,
  running: RunningSubject,
  connections?: number,
): Promise<AsyncDisposable & { readonly held: number }> {
  const settings = { to: running.address, connections: connections ?? asManyAsPossible };
  const program: LoadProgram = load.start("hold", settings);
  try {
    const { held = 0, dropped = 0 } = await program.event("held", 60_000);
    if (connections !== undefined && (held < connections || dropped > 0))
      throw new Error(`it held ${held} of ${connections}`);
    return { held, [Symbol.asyncDispose]: program[Symbol.asyncDispose] };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

function reading(group: RunningSubject["group"]): {
  readonly memory: number;
  readonly descriptors: number;
} {
  return { memory: group?.memory() ?? Number.NaN, descriptors: group?.descriptors() ?? Number.NaN };
}
