// A file of its own: it takes a minute, in which others can run.
import { etcdctl, missing, startEtcd, startGw } from "@gw/testing";
import { expect, test } from "vitest";

test.skipIf(missing("etcd", "etcdctl"))(
  "etcdctl check perf passes its load through the gateway",
  { timeout: 180_000 },
  async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([`--endpoints=${cluster.endpoints}`]);
    const { stdout, stderr } = await etcdctl(gw.address, "check", "perf", "--load=s");
    // How fast is the machine's business; that every request is served is ours.
    expect(`${stdout}${stderr}`).toMatch(/Throughput (is|too low)/);
    expect(`${stdout}${stderr}`).not.toMatch(/error/i);
  },
);
