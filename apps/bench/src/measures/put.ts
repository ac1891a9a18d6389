import { fileURLToPath } from "node:url";
import { runProgram } from "@gw/testing";
import type { Figures, Measure, MeasureContext, Subject } from "../contract.js";
import { startEtcd } from "../etcd.js";
import { type RunningSubject, startSubject } from "../running-subject.js";

const script = fileURLToPath(new URL("../../load/put.lua", import.meta.url));

/** Writes through the proxy to a real etcd. */
export const put: Measure = {
  name: "put",
  title: "etcd put",
  how: "wrk puts a key over kept-alive HTTP and JSON into an etcd of one member that keeps its data in memory. etcd itself takes most of the time.",
  figures: [
    { key: "rate", title: "rate", unit: "/s", better: "more" },
    { key: "p50", title: "p50", unit: "µs", better: "less" },
    { key: "p99", title: "p99", unit: "µs", better: "less" },
    { key: "cpu", title: "proxy CPU per put", unit: "µs", better: "less" },
  ],
  maxRounds: 3,
  needs: ["etcd", "wrk"],
  async run(subject: Subject, { scale, sample }: MeasureContext) {
    await using etcd = await startEtcd();
    await using running = await startSubject(subject, etcd);
    // wrk counts from its first request, and in whole seconds, so the warm-up is a separate run.
    await runWrk(running.address, 16, 1);
    for (const connections of [1, 64])
      await sample(`${connections} connection${connections > 1 ? "s" : ""}`, () =>
        load(running, connections, Math.max(1, Math.round(scale.measureMs / 1000))),
      );
  },
};

async function load(running: RunningSubject, connections: number, seconds: number): Promise<Figures> {
  const before = running.group?.cpuSeconds() ?? Number.NaN;
  const report = await runWrk(running.address, connections, seconds);
  const cpu = (running.group?.cpuSeconds() ?? Number.NaN) - before;
  await running.check();
  const { count = 0, errors = 0, p50 = 0, p99 = 0 } = report;
  if (errors > 0) throw new Error(`${errors} of ${count} failed`);
  return { rate: count / (report["seconds"] ?? seconds), p50, p99, cpu: (cpu / count) * 1e6 };
}

async function runWrk(address: string, connections: number, seconds: number): Promise<Figures> {
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, `http://${address}`];
  const { stdout, stderr } = await runProgram("wrk", args);
  const [line] = /^\{.*\}$/m.exec(stdout) ?? [];
  if (!line) throw new Error(`wrk: ${stderr}${stdout}`);
  return JSON.parse(line) as Figures;
}
