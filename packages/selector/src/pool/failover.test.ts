import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, inTurn, noDescriptors, refused, rig } from "../../test/support.js";

const better = endpoint("better", { priority: 1 });
const worse = endpoint("worse", { priority: 2 });

function switches(log: readonly string[]): readonly string[] {
  return log.filter(line => line.startsWith("failover"));
}

describe("a failover is reported", () => {
  test("when the one before failed, once the other is connected", () => {
    const { take, log } = rig([a, b]);
    take().connected();
    take().failed(refused);
    const next = take();
    expect(switches(log)).toEqual([]);
    next.connected();
    take().connected();
    expect(switches(log)).toEqual(["failover a to b: connection refused"]);
  });

  test("when the one before is no longer an endpoint", () => {
    const { pool, take, log } = rig([a, b]);
    take().connected();
    pool.update([b]);
    take().connected();
    expect(switches(log)).toEqual(["failover a to b: a:2379 is no longer an endpoint"]);
  });

  test("when the tier changes, in both directions", async () => {
    const { take, log, clock } = rig([better, worse]);
    take().connected();
    take().failed(refused);
    take().connected();
    await clock.advance(1_000);
    take().connected();
    expect(switches(log)).toEqual([
      "failover better to worse: connection refused",
      "failover worse to better: priority 1 is preferred to 2",
    ]);
  });

  test("when an update makes another tier the best", () => {
    const { pool, take, log } = rig([a, b]);
    take().connected();
    pool.update([
      { ...a, priority: 9 },
      { ...b, priority: 3 },
    ]);
    take().connected();
    expect(switches(log)).toEqual(["failover a to b: priority 3 is preferred to 9"]);
  });
});

describe("no failover is reported", () => {
  test("to an endpoint that left the set and came back", () => {
    const { pool, take, log } = rig([a, b]);
    const lease = take();
    lease.connected();
    lease.released();
    pool.update([b]);
    pool.update([a, b]);
    take(b).connected();
    expect(switches(log)).toEqual([]);
  });

  test("of the first endpoint, though others failed before", () => {
    const { take, log } = rig([a, b]);
    take().failed(refused);
    take().connected();
    expect(switches(log)).toEqual([]);
  });

  test("of a policy that goes from one to the other by itself", () => {
    const { take, log } = rig([a, b, c], { selector: inTurn() });
    for (let i = 0; i < 10; i++) take().connected();
    expect(log).toEqual([]);
  });

  test("of a client that went to another endpoint because of an error of this machine", () => {
    const { take, log } = rig([better, worse]);
    take().connected();
    take().failed(noDescriptors);
    take(better).connected();
    expect(switches(log)).toEqual([]);
  });

  test("of a connection that is made to what is no longer an endpoint", () => {
    const { pool, take, log } = rig([a, b]);
    const late = take();
    take().connected();
    pool.update([b]);
    take().connected();
    log.length = 0;
    late.connected();
    take().connected();
    expect(log).toEqual([]);
  });
});
