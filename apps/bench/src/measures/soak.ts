import { setTimeout } from "node:timers/promises";
import type { Measure, MeasureContext, Subject } from "../contract.js";
import { startSubject } from "../running-subject.js";
import { etcdGateway } from "../subjects/etcd-gateway.js";
import { gwDefault, gwJs, gwNative } from "../subjects/gw.js";
import { haproxies } from "../subjects/haproxy.js";
import { lanes } from "./connection-rate.js";

/** A subject that is slower fails its sample. */
const leastPerSecond = 100;

/** Whether memory grows with the connections that came and went. */
export const soak: Measure = {
  name: "soak",
  title: "memory over connections",
  how: `${lanes} lanes open and close connections, as in \`connect\`. Memory is read when the proxy has started, after a tenth of the connections, when its buffers and caches have their size, and after all of them. \`--soak\` sets their number; 3,600,000 are an hour of 1,000 connections a second.`,
  figures: [
    { key: "started", title: "memory at the start", unit: "MB", better: "less" },
    { key: "before", title: "after a tenth", unit: "MB", better: "less" },
    { key: "after", title: "after all", unit: "MB", better: "less" },
    { key: "growth", title: "growth from a tenth to all", unit: "MB", better: "less" },
  ],
  maxRounds: 1,
  among: [gwNative.name, gwJs.name, gwDefault.name, etcdGateway.name, ...haproxies],
  references: haproxies,
  async run(subject: Subject, { load, scale, sample }: MeasureContext) {
    await using backend = await load.serve();
    await using running = await startSubject(subject, backend);
    const memoryAfter = async (count: number): Promise<number> => {
      if (count > 0) {
        const measure = (count / leastPerSecond) * 1000;
        const settings = { to: running.address, connections: lanes, count, measure };
        await using program = load.start("connect", settings);
        const end = await program.event("end", measure + 10_000);
        await running.check();
        if (end["errors"] !== 0) throw new Error(`${end["errors"]} of ${count} failed`);
        if ((end["count"] ?? 0) < count) throw new Error(`fewer than ${leastPerSecond} connections a second`);
      }
      await setTimeout(scale.settleMs);
      return (running.group?.memory() ?? Number.NaN) / 1e6;
    };
    const first = Math.ceil(scale.soak / 10);
    await sample(`${scale.soak.toLocaleString("en")} connections`, async () => {
      const started = await memoryAfter(0);
      const before = await memoryAfter(first);
      const after = await memoryAfter(scale.soak - first);
      return { started, before, after, growth: after - before };
    });
  },
};
