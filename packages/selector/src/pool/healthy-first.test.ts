import { type Endpoint, GatewayError, type Verdict } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { chiSquare, counted } from "../../test/picks.js";
import { a, b, c, endpoint, type Rig, refused, rig, seededRandom } from "../../test/support.js";
import { random } from "../policies/random.js";
import { stickyRandom } from "../policies/sticky-random.js";

const healthy: Verdict = { check: "etcd status", scope: "endpoint" };
const unhealthy: Verdict = { ...healthy, error: new GatewayError("timed-out", "no answer") };
const slow = { retryDelayMs: 1e8, maxRetryDelayMs: 1e8 };

function of(count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => endpoint(`h${index}`));
}

/** The hosts that a client gets whose dials all fail. */
function attempts({ take }: Rig, most: number): readonly string[] {
  const tried: Endpoint[] = [];
  for (let attempt = 0; attempt < most; attempt++) {
    const lease = take(...tried);
    tried.push(lease.endpoint);
    lease.failed(refused);
  }
  return tried.map(({ host }) => host);
}

describe("a client whose dial failed", () => {
  test("is offered the endpoints that are known to be healthy, each as often, and then the others", () => {
    const seconds: (string | undefined)[] = [];
    for (let seed = 1; seed <= 300; seed++) {
      const selector = random({ random: seededRandom(seed * 7_919) });
      const one = rig(of(8), { ...slow, selector });
      for (const host of ["h2", "h4", "h6"]) one.pool.report(endpoint(host), healthy, true);
      const [first = "", ...hosts] = attempts(one, 8);
      const known = ["h2", "h4", "h6"].filter(host => host !== first);
      expect(hosts.slice(0, known.length).toSorted()).toEqual(known);
      expect(new Set(hosts).size).toBe(7);
      if (known.length === 3) seconds.push(hosts[0]);
      one.pool.close();
    }
    expect(chiSquare([...counted(seconds).values()])).toBeLessThan(13.8);
  });

  test("gets the one that is healthy of 2,001 at its second attempt", () => {
    for (let seed = 1; seed <= 3; seed++) {
      const selector = stickyRandom({ random: seededRandom(seed * 7_919) });
      const one = rig(of(2_001), { ...slow, selector });
      one.pool.report(endpoint("h1000"), healthy, true);
      const lease = one.take();
      expect(lease.endpoint.host).not.toBe("h1000");
      lease.failed(refused);
      expect(one.take(lease.endpoint).endpoint.host).toBe("h1000");
      one.pool.close();
    }
  });

  test("is offered none of a worse priority while there are any of the better one", () => {
    const one = rig([a, b, endpoint("c", { priority: 1 })], slow);
    one.pool.report(endpoint("c"), healthy, true);
    expect(attempts(one, 3)).toEqual(["a", "b", "c"]);
    one.pool.close();
  });

  test("is not offered first what was healthy before it was down", async () => {
    const one = rig([a, b, c]);
    for (const host of [b, c]) one.pool.report(host, healthy, true);
    one.take(a, c).failed(refused);
    await one.clock.advance(1_000);
    expect(attempts(one, 3)).toEqual(["a", "c", "b"]);
    one.pool.close();
  });

  test("is offered first what a retry has found healthy", async () => {
    const one = rig([a, b, c], { probe: async () => healthy });
    one.take(a, b).failed(refused);
    await one.clock.advance(1_000);
    expect(attempts(one, 3)).toEqual(["a", "c", "b"]);
    one.pool.close();
  });
});

describe("after the endpoint in use went down", () => {
  /** h0 is in use and goes down for the reason given; h2 and h4 are known to be healthy, others are unknown. */
  function afterFailure(seed: number, fail: (one: Rig) => void): Rig {
    const random = seededRandom(seed * 7_919);
    const one = rig(of(6), { ...slow, selector: stickyRandom({ random: () => (first ? 0 : random()) }) });
    let first = true;
    one.take().connected();
    first = false;
    for (const host of ["h2", "h4"]) one.pool.report(endpoint(host), healthy, true);
    fail(one);
    return one;
  }

  test.each<[string, (one: Rig) => void]>([
    ["a check", ({ pool }) => pool.report(endpoint("h0"), unhealthy, true)],
    ["a dial", ({ take }) => take().failed(refused)],
  ])("by %s clients go to one of the healthy, and keep to it", (_, fail) => {
    const hosts = Array.from({ length: 150 }, (_, index) => {
      const one = afterFailure(index + 1, fail);
      const lease = one.take();
      lease.connected();
      expect(new Set(one.hosts(5))).toEqual(new Set([lease.endpoint.host]));
      one.pool.close();
      return lease.endpoint.host;
    });
    const counts = counted(hosts);
    expect([...counts.keys()].sort()).toEqual(["h2", "h4"]);
    expect(chiSquare([...counts.values()])).toBeLessThan(10.9);
  });

  test("by a removal clients go anywhere: new endpoints are not checked yet", () => {
    const hosts = Array.from({ length: 60 }, (_, index) => {
      const one = afterFailure(index + 1, ({ pool }) => pool.update(of(6).slice(1)));
      return one.hosts(1)[0];
    });
    expect(counted(hosts).size).toBe(5);
  });

  test("in a panic clients go anywhere: the few that are healthy could not carry all", () => {
    const hosts = Array.from({ length: 60 }, (_, index) => {
      const one = afterFailure(index + 1, ({ pool }) => {
        for (const host of ["h0", "h1", "h3", "h5"]) pool.report(endpoint(host), unhealthy, true);
      });
      expect(one.log.at(-1)).toMatch(/^panic most-unhealthy/);
      one.pool.close();
      return one.hosts(1)[0];
    });
    // The policy keeps to its endpoint, which may be used again.
    expect(counted(hosts)).toEqual(new Map([["h0", 60]]));
  });
});
