import { type Candidate, GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, inTurn, noDescriptors, refused, rig } from "../../test/support.js";
import { poolDefaults } from "./options.js";
import { createPool } from "./pool.js";

const best = [endpoint("a1", { priority: 1 }), endpoint("b1", { priority: 1 })] as const;
const worse = [endpoint("c2", { priority: 2 }), endpoint("d2", { priority: 2 })] as const;

describe("a pool", () => {
  test("has no lease to give before it has endpoints, or when it has none any more", () => {
    const pool = createPool();
    const request = { tried: [], onRevoked() {} };
    expect(pool.acquire(request)).toBeUndefined();
    pool.update([a]);
    expect(pool.acquire(request)?.endpoint).toEqual(a);
    pool.update([]);
    expect(pool.acquire(request)).toBeUndefined();
  });

  test("sticks to one endpoint unless it is given a selector", () => {
    const pool = createPool();
    pool.update([a, b, c]);
    const hosts = Array.from(
      { length: 100 },
      () => pool.acquire({ tried: [], onRevoked() {} })?.endpoint.host,
    );
    expect(new Set(hosts).size).toBe(1);
  });

  test("lets the selector pick among all that are up", () => {
    const { hosts } = rig([a, b, c], { selector: inTurn() });
    expect(hosts(6)).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  test("asks the selector once for each lease", () => {
    let picks = 0;
    const { take } = rig([a, b], {
      selector: {
        pick([one]) {
          picks += 1;
          return one;
        },
      },
    });
    take();
    take(a);
    expect(picks).toBe(2);
  });

  test("shows the selector how many connections each endpoint has, dials included", () => {
    let seen: readonly number[] = [];
    const { take } = rig([a, b], {
      selector: {
        pick(candidates) {
          seen = candidates.map(({ connections }) => connections);
          return candidates.at(-1);
        },
      },
    });
    const [one, two] = [take(), take()];
    expect(seen).toEqual([0, 1]);
    one.connected();
    take(b);
    expect(seen).toEqual([0]);
    take();
    expect(seen).toEqual([1, 2]);
    one.released();
    two.failed(noDescriptors);
    take();
    expect(seen).toEqual([1, 1]);
  });

  test("lets a selector that prefers the fewest connections spread them evenly", () => {
    const fewest = (candidates: readonly Candidate[]): Candidate | undefined =>
      candidates.toSorted((x, y) => x.connections - y.connections)[0];
    const { take } = rig([a, b, c], { selector: { pick: fewest } });
    const hosts = Array.from({ length: 30 }, () => take().endpoint.host);
    for (const host of "abc") expect(hosts.filter(one => one === host).length).toBe(10);
  });
});

describe("a client", () => {
  test("is offered each endpoint at most once", () => {
    const { take, pool } = rig([a, b, c], { selector: inTurn() });
    const tried = [];
    for (let lease = take(); ; lease = take(...tried)) {
      tried.push(lease.endpoint);
      lease.failed(refused);
      if (tried.length === 3) break;
    }
    expect(tried.map(({ host }) => host).sort()).toEqual(["a", "b", "c"]);
    expect(pool.acquire({ tried, onRevoked() {} })).toBeUndefined();
  });

  test("is not offered again what failed for a local reason", () => {
    const { take } = rig([a, b]);
    take().failed(noDescriptors);
    expect(take(a).endpoint.host).toBe("b");
    expect(take().endpoint.host).toBe("a");
  });

  test("has tried an endpoint also if its priority or weight differs", () => {
    const { take } = rig([a, b]);
    expect(take({ ...a, weight: 7, secure: true }).endpoint.host).toBe("b");
    expect(take({ ...a, port: 1 }).endpoint.host).toBe("a");
  });
});

describe("priorities", () => {
  test("keep the worse tier unused while one of the best is up", () => {
    const { hosts, take } = rig([...worse, ...best], { selector: inTurn() });
    expect(hosts(4)).toEqual(["a1", "b1", "a1", "b1"]);
    take().failed(refused);
    expect(hosts(3)).toEqual(["b1", "b1", "b1"]);
    take().failed(refused);
    expect(hosts(4).toSorted()).toEqual(["c2", "c2", "d2", "d2"]);
  });

  test("give new connections back to the best tier once one of it is up", async () => {
    const { hosts, take, clock } = rig([...best, ...worse]);
    take().failed(refused);
    take().failed(refused);
    expect(hosts(1)).toEqual(["c2"]);
    await clock.advance(1_000);
    expect(hosts(2)).toEqual(["a1", "a1"]);
  });

  test("lead a client that failed on all of the best tier to the next, and those that are down come last", () => {
    const { take } = rig([...best, ...worse]);
    take().failed(refused);
    expect(take(best[0]).endpoint.host).toBe("b1");
    expect(take(...best).endpoint.host).toBe("c2");
    expect(take(best[1], ...worse).endpoint.host).toBe("a1");
  });

  test("hold among those that are down, too", () => {
    const { take } = rig([...worse, ...best]);
    for (let i = 0; i < 4; i++) take().failed(refused);
    expect(take().endpoint.host).toBe("a1");
    expect(take(best[0]).endpoint.host).toBe("b1");
    expect(take(...best).endpoint.host).toBe("c2");
    expect(take(...best, worse[0]).endpoint.host).toBe("d2");
  });
});

describe("the retry delay", () => {
  test("is a minute unless it is given, as in etcd", () => {
    expect(poolDefaults.retryDelayMs).toBe(60_000);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])("cannot be %d", retryDelayMs => {
    expect(() => createPool({ retryDelayMs })).toThrow(GatewayError);
    expect(() => createPool({ retryDelayMs })).toThrow(
      `[invalid-option] retryDelayMs ${retryDelayMs} is not`,
    );
  });
});
