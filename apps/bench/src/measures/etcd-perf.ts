import { runProgram } from "@gw/testing";
import type { Bench, Measure, Subject } from "../contract.js";
import { startEtcd } from "../etcd.js";
import { startSubject } from "../running.js";

/** etcd's own check, at a fixed rate: it tells whether a proxy is in the way, not how fast it could be. */
export const etcdPerf: Measure = {
  name: "etcd-perf",
  title: "etcdctl check perf",
  how: "`etcdctl check perf --load=s`: 50 clients put 150 keys a second for a minute, over gRPC.",
  figures: [
    { key: "rate", title: "throughput", unit: "/s", better: "more" },
    { key: "slowest", title: "slowest request", unit: "ms", better: "less" },
    { key: "deviation", title: "standard deviation", unit: "ms", better: "less" },
  ],
  mostRounds: 1,
  onRequest: true,
  needs: ["etcd", "etcdctl"],
  async run(subject: Subject, { sample }: Bench) {
    await using etcd = await startEtcd();
    await using running = await startSubject(subject, etcd);
    await sample("--load=s", async () => {
      const args = [`--endpoints=${running.address}`, "check", "perf", "--load=s"];
      const { stdout, stderr } = await runProgram("etcdctl", args, { env: { ETCDCTL_API: "3" } });
      const said = `${stdout}${stderr}`;
      const find = (pattern: RegExp): number => {
        const [, text] = pattern.exec(said) ?? [];
        if (text === undefined) throw new Error(`etcdctl: ${said.slice(-200)}`);
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
