// A minute of a member that hangs every other second, on a clock of the test's: pool and health checks together.

import { checkHealth } from "@gw/health";
import { type Endpoint, GatewayError, type Probe, type Selector } from "@gw/interface";
import { createPool, first, stickyRandom } from "@gw/selector";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";

const [flapping, ...others] = ["flapping", "b", "c"].map(
  (host): Endpoint => ({ host, port: 2379, priority: 0, weight: 0 }),
) as [Endpoint, Endpoint, Endpoint];

/** Clients come each 100 ms for a minute; how often they were sent elsewhere than before, and how often they hung. */
async function minute(selector: Selector, retryDelayMs: number) {
  const clock = manualClock();
  const hangs = (): boolean => Math.floor(clock.now() / 1_000) % 2 === 1;
  const probe: Probe = async ({ host }) =>
    host === flapping.host && hangs()
      ? { check: "etcd /health", scope: "endpoint", error: new GatewayError("timed-out", "it hangs") }
      : { check: "etcd /health", scope: "endpoint" };
  let switches = 0;
  const pool = createPool({
    selector,
    retryDelayMs,
    clock,
    random: () => 0.5,
    probe: async (endpoint, signal) => {
      const { error } = await probe(endpoint, signal);
      if (error) throw error;
    },
    observer: {
      failover: () => {
        switches += 1;
      },
    },
  });
  pool.update([flapping, ...others]);
  const checks = checkHealth({ probe, pool, clock, intervalMs: 1_000, fall: 1, random: () => 0.5 });
  let hung = 0;
  for (let client = 0; client < 600; client++) {
    const lease = pool.acquire({ tried: [], onRevoked: () => lease?.released() });
    lease?.connected();
    if (lease?.endpoint.host === flapping.host && hangs()) hung += 1;
    await clock.advance(100);
    lease?.released();
  }
  checks.close();
  pool.close();
  return { switches, hung };
}

/** Begins with the first endpoint. */
function stickyToFirst(): Selector {
  return stickyRandom({ random: () => 0 });
}

test("clients leave it once, if their policy does not draw them back", async () => {
  const { switches, hung } = await minute(stickyToFirst(), 1_000);
  expect(switches).toBe(1);
  expect(hung).toBeLessThanOrEqual(10);
});

test("clients return to it less and less often, if their policy prefers it", async () => {
  const { switches, hung } = await minute(first(), 1_000);
  expect(switches).toBeGreaterThanOrEqual(2);
  expect(switches).toBeLessThanOrEqual(14);
  expect(hung).toBeLessThanOrEqual(70);
});
