import type { GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, refused, rig, seededRandom, timedOut } from "../../../test/support.js";
import type { EndpointPool } from "../endpoint-pool.js";

/** A connection whose client has waited for so long. */
function connect(pool: EndpointPool, waitingMs: number): { readonly revoked: readonly GatewayError[] } {
  const revoked: GatewayError[] = [];
  pool.acquire({ tried: [], waitingMs, onRevoked: error => revoked.push(error) })?.connected();
  return { revoked };
}

describe("the open connections of an endpoint that is gone", () => {
  test("may end by themselves for half the drain timeout, and are closed one by one in the other half", async () => {
    const { pool, clock, take, log } = rig([a, b], { drainTimeoutMs: 10_000, random: seededRandom(1) });
    const leases = Array.from({ length: 20 }, () => take());
    for (const lease of leases) lease.connected();
    const revoked = (): number => leases.filter(lease => lease.revoked.length > 0).length;
    log.length = 0;
    pool.update([b]);
    expect(log).toEqual(["closing 20 of a within 10000", "changed + -a"]);
    await clock.advance(4_999);
    expect(revoked()).toBe(0);
    await clock.advance(2_500);
    expect(revoked()).toBeGreaterThan(2);
    expect(revoked()).toBeLessThan(18);
    await clock.advance(2_501);
    expect(revoked()).toBe(20);
    expect(leases[0]?.revoked[0]?.detail).toBe("a:2379 is no longer an endpoint");
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["removed", 5_000, 0],
    ["removed, with a request under way", 5_000, 1_000],
    ["removed, and a client has waited for long", 250, 1_001],
    ["unhealthy", 1_000, 0],
    ["unhealthy, and a client waits", 50, 1],
  ])(
    "under `close`, that of an endpoint that is %s is closed within %d ms",
    async (why, withinMs, waitingMs) => {
      const random = (): number => 0.999;
      const { pool, clock, log } = rig([a, b], {
        onRemoved: "close",
        maxRetryDelayMs: 60_000,
        retryDelayMs: 60_000,
        random,
      });
      const lease = connect(pool, waitingMs);
      if (why.startsWith("removed")) pool.update([b]);
      else pool.report(a, { check: "etcd", scope: "endpoint", error: timedOut }, true);
      expect(log).toContain(`closing 1 of a within ${withinMs}`);
      await clock.advance(withinMs * 0.99);
      expect(lease.revoked).toEqual([]);
      await clock.advance(withinMs * 0.01);
      expect(lease.revoked).toHaveLength(1);
    },
  );

  test.each([
    [20, 200],
    [50, 500],
    [1_000, 1_000],
  ])(
    "under `close`, %d of them with clients that wait are closed within %d ms",
    async (connections, withinMs) => {
      const { pool, clock, log } = rig([a, b], { random: seededRandom(2) });
      const leases = Array.from({ length: connections }, () => connect(pool, 5));
      pool.report(a, { check: "etcd", scope: "endpoint", error: timedOut }, true);
      expect(log).toContain(`closing ${connections} of a within ${withinMs}`);
      const revoked = (): number => leases.filter(lease => lease.revoked.length > 0).length;
      await clock.advance(withinMs / 2);
      expect(revoked()).toBeGreaterThan(connections / 4);
      expect(revoked()).toBeLessThan((connections * 3) / 4);
      await clock.advance(withinMs / 2);
      expect(revoked()).toBe(connections);
    },
  );

  test("under `leave` stay open", () => {
    const { pool, clock, take } = rig([a, b], { onRemoved: "leave" });
    const lease = take();
    lease.connected();
    pool.update([b]);
    expect(clock.pending).toBe(0);
    expect(lease.revoked).toEqual([]);
  });

  test("stay open when the endpoint returns, and count again", async () => {
    const connections: number[] = [];
    const { pool, clock, take } = rig([a, b], {
      selector: {
        pick(candidates) {
          connections.push(...candidates.map(candidate => candidate.connections));
          return candidates[0];
        },
      },
    });
    const lease = take();
    lease.connected();
    pool.update([b]);
    pool.update([a, b]);
    await clock.advance(60_000);
    expect(lease.revoked).toEqual([]);
    connections.length = 0;
    take();
    expect(connections).toEqual([1, 0]);
  });

  test("that ended by themselves are not closed, and the endpoint starts from scratch if it returns", async () => {
    const { pool, clock, take, hosts } = rig([a, b]);
    const [ended, failed] = [take(), take()];
    ended.connected();
    pool.update([b]);
    ended.released();
    failed.failed(refused);
    await clock.advance(60_000);
    expect(ended.revoked).toEqual([]);
    pool.update([a, b]);
    expect(hosts(1)).toEqual(["a"]);
  });
});

test.each([0, -1, Number.NaN, 2 ** 31])("a drain timeout of %d is refused", drainTimeoutMs => {
  expect(() => rig([a], { drainTimeoutMs })).toThrow("drainTimeoutMs");
});
