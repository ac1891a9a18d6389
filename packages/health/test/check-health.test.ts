// Checks of real etcds, in real time.
import {
  type CheckedPool,
  type Endpoint,
  type EndpointStatus,
  formatAddress,
  type Verdict,
} from "@gw/interface";
import { missing, type Queue, queue, startEtcd } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { autoProbe, checkHealth, tcpProbe } from "../src/index.js";
import { startMember } from "./member.js";
import { at, atAddress, formatVerdict } from "./probing.js";

interface Reported {
  readonly endpoint: string;
  readonly verdict: string;
}

/** A pool that stays as it is, whatever is reported; the first endpoint is in use. */
function poolOf(endpoints: readonly Endpoint[]): CheckedPool & { readonly reports: Queue<Reported> } {
  const reports = queue<Reported>();
  const statuses = endpoints.map(
    (endpoint, index): EndpointStatus => ({
      endpoint,
      state: "up",
      unhealthy: false,
      inUse: index === 0,
      connections: index === 0 ? 1 : 0,
      since: 0,
    }),
  );
  return {
    reports,
    inspect: () => statuses,
    report: (endpoint: Endpoint, verdict: Verdict) =>
      reports.put({ endpoint: formatAddress(endpoint), verdict: formatVerdict(verdict) }),
  };
}

/** The next reports up to one that fits. */
async function until(reports: Queue<Reported>, fits: (report: Reported) => boolean): Promise<Reported[]> {
  const seen: Reported[] = [];
  for (;;) {
    const next = await reports.take();
    seen.push(next);
    if (fits(next)) return seen;
  }
}

describe.skipIf(missing("etcd"))("health checks", () => {
  test("find a member that hangs, which a connection cannot see", async () => {
    await using one = await startMember();
    await using two = await startMember();
    const endpoints = [at(one.port), at(two.port)];
    const [deep, shallow] = [poolOf(endpoints), poolOf(endpoints)];
    const probe = autoProbe({ timeoutMs: 1_500 });
    const both = [
      checkHealth({ probe, pool: deep, intervalMs: 1_500 }),
      checkHealth({ probe: tcpProbe(), pool: shallow, intervalMs: 1_500 }),
    ];
    const first = formatAddress(endpoints[0] as Endpoint);
    await until(deep.reports, ({ endpoint }) => endpoint === first);
    await one.program.pause();
    const seen = await until(deep.reports, ({ verdict }) => verdict.includes("["));
    expect(seen.at(-1)).toEqual({
      endpoint: first,
      verdict: "etcd status endpoint [timed-out] no answer within 1500 ms",
    });
    const { verdict } = await shallow.reports.take();
    expect(verdict).toBe("tcp");
    for (const checks of both) checks.close();
    probe.close();
  });

  test("report the loss of the quorum as a fault of the cluster, before any member seems healthy", async () => {
    await using etcd = await startEtcd(3);
    const endpoints = etcd.members.map(({ endpoint }) => atAddress(endpoint));
    const pool = poolOf(endpoints);
    const probe = autoProbe();
    const checks = checkHealth({ probe, pool, intervalMs: 1_000, fall: 1 });
    await until(pool.reports, ({ endpoint }) => endpoint === etcd.members[0]?.endpoint);
    const rest = etcd.members.slice(1);
    // Two of three stop, the third goes on and has no quorum.
    await Promise.all(rest.map(member => member.crash()));
    const seen = await until(
      pool.reports,
      ({ endpoint, verdict }) => endpoint === etcd.members[0]?.endpoint && verdict.includes("["),
    );
    expect(seen.at(-1)?.verdict).toMatch(/^etcd status cluster \[unhealthy\] /);
    const others = new Map(seen.map(({ endpoint, verdict }) => [endpoint, verdict]));
    for (const { endpoint } of rest) expect(others.get(endpoint) ?? "[").toContain("[");
    for (const member of rest) await member.restart();
    await until(
      pool.reports,
      ({ endpoint, verdict }) => endpoint === etcd.members[0]?.endpoint && !verdict.includes("["),
    );
    checks.close();
    probe.close();
  });
});
