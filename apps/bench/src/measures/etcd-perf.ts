import { runProgram } from "@gw/testing";
import type { Measure, MeasureContext, Subject } from "../contract.js";
import { startEtcd } from "../etcd.js";
import { startSubject } from "../running-subject.js";

/** etcd's own check, at a fixed rate: it shows whether a proxy slows etcd down, not how fast it could be. */
export const etcdPerf: Measure = {
  name: "etcd-perf",
  title: "etcdctl check perf",
  how: "`etcdctl check perf --load=s`: 50 clients put 150 keys a second for a minute, over gRPC.",
  figures: [
    { key: "rate", title: "throughput", unit: "/s", better: "more" },
    { key: "slowest", title: "slowest request", unit: "ms", better: "less" },
    { key: "deviation", title: "standard deviation", unit: "ms", better: "less" },
  ],
  maxRounds: 1,
  onRequestOnly: true,
  needs: ["etcd", "etcdctl"],
  async run(subject: Subject, { sample }: MeasureContext) {
    await using etcd = await startEtcd();
    await using running = await startSubject(subject, etcd);
    await sample("--load=s", async () => {
      const args = [`--endpoints=${running.address}`, "check", "perf", "--load=s"];
      const { stdout, stderr } = await runProgram("etcdctl", args, { env: { ETCDCTL_API: "3" } });
      const output = `${stdout}${stderr}`;
      const find = (pattern: RegExp): number => {
        const [, text] = pattern.exec(output) ?? [];
        if (text === undefined) throw new Error(`etcdctl: ${output.slice(-200)}`);
        return Number(text);
      };
      return {
        rate: find(/Throughput is (?:too low: )?([\d.]+) writes/),
        slowest: find(/Slowest request took (?:too long: )?([\d.]+)s/) * 1000,
        deviation: find(/Stddev (?:is|too high:) ([\d.]+)s/) * 1000,
      };
    });
  },
};
