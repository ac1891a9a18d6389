import { describe, expect, test } from "vitest";
import { a, b, refused, rig, seededRandom } from "../../test/support.js";

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
    [1, 10],
    [50, 500],
    [1_000, 1_000],
  ])("under `close`, %d of them are closed within %d ms", async (connections, withinMs) => {
    const { pool, clock, take } = rig([a, b], { onRemoved: "close" });
    const leases = Array.from({ length: connections }, () => take());
    for (const lease of leases) lease.connected();
    pool.update([b]);
    await clock.advance(withinMs);
    expect(leases.every(lease => lease.revoked.length === 1)).toBe(true);
    expect(clock.pending).toBe(0);
  });

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
