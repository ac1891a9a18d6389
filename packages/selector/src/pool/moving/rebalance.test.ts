import { type Endpoint, GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { counts, crowd } from "../../../test/crowd.js";
import { a, b, c, endpoint, inTurn, type Rig, refused, rig } from "../../../test/support.js";

/** All connections are on `b` and `c`, and `a` is up again. */
async function afterOutage(
  options: Parameters<typeof rig>[1] & object,
  endpoints: readonly Endpoint[] = [a, b, c],
): Promise<Rig> {
  const one = rig(endpoints, { selector: inTurn(), ...options });
  const lease = one.take();
  lease.failed(refused);
  crowd(one, 300);
  one.log.length = 0;
  await one.clock.advance(1_000);
  return one;
}

describe("connections of endpoints that have more than their share", () => {
  test("are moved back to one that was away, no more than allowed in a minute", async () => {
    const one = await afterOutage({ rebalance: 0.1 });
    expect(counts(one)).toEqual(["a 0", "b 150", "c 150"]);
    await one.clock.advance(60_000);
    const moved = one.log
      .filter(line => line.startsWith("recycling"))
      .map(line => Number(line.split(" ")[1]));
    expect(moved.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(33);
    expect(Math.max(...moved)).toBeLessThanOrEqual(3);
    // A third of the clients that reconnect go to it.
    const [carried = ""] = counts(one);
    expect(Number(carried.split(" ")[1])).toBeGreaterThan(5);
  });

  test("are moved until no endpoint has too few, and no longer", async () => {
    const one = await afterOutage({ rebalance: 1 });
    await one.clock.advance(600_000);
    for (const line of counts(one)) expect(Number(line.split(" ")[1])).toBeGreaterThanOrEqual(95);
    expect(one.clock.pending).toBe(0);
    one.log.length = 0;
    await one.clock.advance(600_000);
    expect(one.log).toEqual([]);
  });

  test("are moved until no endpoint has too few although less than one may be moved at a time", async () => {
    const one = rig([a, b], { selector: inTurn(), rebalance: 0.1 });
    one.take().failed(refused);
    crowd(one, 40);
    await one.clock.advance(1_000);
    expect(counts(one)).toEqual(["a 0", "b 40"]);
    // Every other client that reconnects goes to it.
    await one.clock.advance(3_600_000);
    expect(Number(counts(one)[0]?.split(" ")[1])).toBeGreaterThanOrEqual(16);
  });

  test("go back to the better priority when it is up again", async () => {
    const one = await afterOutage({ rebalance: 1 }, [a, endpoint("b", { priority: 1 })]);
    await one.clock.advance(600_000);
    const [better = ""] = counts(one);
    expect(Number(better.split(" ")[1])).toBeGreaterThanOrEqual(285);
  });

  test("are left where they are by a policy that wants them there", async () => {
    const one = await afterOutage({ rebalance: 1, selector: { pick: candidates => candidates.at(-1) } });
    await one.clock.advance(3_600_000);
    const moves = one.log.filter(line => line.startsWith("recycling")).length;
    expect(moves).toBeGreaterThan(0);
    expect(moves).toBeLessThanOrEqual(22);
    expect(one.clock.pending).toBe(0);
  });

  test("go by weights where the policy does", async () => {
    const heavy = [endpoint("a", { weight: 1 }), endpoint("b", { weight: 9 })];
    const byWeight = await afterOutage({ rebalance: 1, weighted: true }, heavy);
    const evenly = await afterOutage({ rebalance: 1 }, heavy);
    for (const one of [byWeight, evenly]) await one.clock.advance(6_000);
    const moved = (one: Rig): string | undefined => one.log.find(line => line.startsWith("recycling"));
    expect([moved(byWeight), moved(evenly)]).toEqual([
      "recycling 30 of b for balance",
      "recycling 30 of b for balance",
    ]);
    for (const one of [byWeight, evenly]) await one.clock.advance(600_000);
    const carries = (one: Rig): number => Number(counts(one)[0]?.split(" ")[1]);
    expect(carries(byWeight)).toBeLessThan(60);
    expect(carries(evenly)).toBeGreaterThan(120);
  });

  test("stay when nothing is to be moved", async () => {
    const one = await afterOutage({});
    await one.clock.advance(600_000);
    expect(one.log.filter(line => line.startsWith("recycling"))).toEqual([]);
    expect(one.clock.pending).toBe(0);
  });

  test("stay in a panic, in which no endpoint is known to be better", async () => {
    const one = await afterOutage({ rebalance: 1, probe: async () => Promise.reject(refused) });
    for (const host of ["b", "c"])
      one.pool.report(
        endpoint(host),
        { check: "etcd /health", scope: "endpoint", error: new GatewayError("unhealthy", "no leader") },
        false,
      );
    one.log.length = 0;
    await one.clock.advance(60_000);
    expect(one.log.filter(line => line.startsWith("recycling"))).toEqual([]);
    one.pool.close();
  });

  test("of an endpoint that is down are not closed", async () => {
    const one = rig([a, b], { selector: inTurn(), rebalance: 1, retryDelayMs: 1e6, maxRetryDelayMs: 1e6 });
    crowd(one, 100);
    one.take(b).failed(refused);
    one.log.length = 0;
    await one.clock.advance(300_000);
    expect(one.log).toEqual([]);
    one.pool.close();
    expect(one.clock.pending).toBe(0);
  });
});
