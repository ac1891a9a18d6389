import { GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, refused, rig, timedOut } from "../../test/support.js";
import { createPool } from "./pool.js";

describe("an endpoint whose dial fails", () => {
  test("gets no connections until it is tried again", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    expect(log).toEqual(["down a for 1000: connection refused"]);
    expect(hosts(2)).toEqual(["b", "b"]);
    await clock.advance(999);
    expect(hosts(1)).toEqual(["b"]);
  });

  test("is offered again after the retry delay where there is no probe", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    await clock.advance(1_000);
    expect(hosts(1)).toEqual(["a"]);
    expect(log.at(-1)).toBe("up a after 1000");
    expect(clock.pending).toBe(0);
  });

  test("is down for a minute by default, less up to a half at random", () => {
    const delays: number[] = [];
    for (const random of [undefined, () => 0, () => 0.999]) {
      const observer = {
        endpointDown: ({ retryInMs }: { readonly retryInMs: number }) => delays.push(retryInMs),
      };
      const pool = createPool({ observer, random });
      pool.update([a]);
      pool.acquire({ tried: [], onRevoked() {} })?.failed(refused);
      pool.close();
    }
    const [byDefault = 0, ...others] = delays;
    expect(byDefault).toBeGreaterThanOrEqual(30_000);
    expect(byDefault).toBeLessThanOrEqual(60_000);
    expect(others).toEqual([60_000, 30_030]);
  });

  test("by an error of this machine is not marked down", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    for (const code of ["out-of-resources", "address-not-available", "aborted"] as const)
      take().failed(new GatewayError(code, "not the endpoint's fault"));
    expect(hosts(1)).toEqual(["a"]);
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("is marked down once, however many dials fail", () => {
    const { take, log, clock } = rig([a, b]);
    const leases = [take(), take(), take()];
    for (const lease of leases) lease.failed(refused);
    expect(log.length).toBe(1);
    expect(clock.pending).toBe(1);
  });

  test("revokes all other dials to it, and neither connections nor dials to others", () => {
    const { take } = rig([a, b]);
    const connected = take();
    connected.connected();
    const [failing, dialling, other] = [take(), take(), take(a)];
    failing.failed(timedOut);
    expect(dialling.revoked).toEqual([timedOut]);
    for (const lease of [failing, connected, other]) expect(lease.revoked).toEqual([]);
  });

  test("is not marked down by a dial that began before another succeeded", () => {
    const { take, log } = rig([a, b]);
    const [older, younger] = [take(), take()];
    younger.connected();
    older.failed(timedOut);
    expect(log).toEqual([]);
    take().failed(timedOut);
    expect(log).toHaveLength(1);
  });

  test("keeps other dials where no other endpoint is up", () => {
    const { take } = rig([a, b]);
    const [dialling, failing] = [take(), take()];
    take(a).failed(refused);
    failing.failed(refused);
    expect(dialling.revoked).toEqual([]);
  });

  test("revokes dials once, though more fail later", () => {
    const { take } = rig([a, b]);
    const [one, two, three] = [take(), take(), take()];
    one.failed(timedOut);
    two.failed(refused);
    expect(three.revoked).toEqual([timedOut]);
  });
});

describe("when all are down", () => {
  test("all are tried anyway, which is reported once until one is up", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    take().failed(refused);
    expect(log.at(-1)).toBe("panic all-down a,b: connection refused");
    log.length = 0;
    expect(hosts(3)).toEqual(["a", "a", "a"]);
    take().failed(refused);
    take(a).failed(refused);
    expect(log).toEqual([]);
    await clock.advance(1_000);
    expect(hosts(1)).toEqual(["a"]);
    take().failed(refused);
    take().failed(refused);
    expect(hosts(1)).toEqual(["a"]);
    expect(log.filter(line => line.startsWith("panic all-down")).length).toBe(1);
  });

  test("a connection that is made marks its endpoint up at once", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    take().failed(refused);
    take(a).connected();
    expect(log.slice(-2)).toEqual(["up b after 0", "panic over after 0"]);
    expect(hosts(1)).toEqual(["b"]);
    expect(clock.pending).toBe(1);
  });

  test("it is not reported for a client that has tried what is up", () => {
    const { take, log } = rig([a, b]);
    take().failed(refused);
    expect(take(b).endpoint.host).toBe("a");
    expect(log.length).toBe(1);
  });

  test("it is reported again if in between a new endpoint was up", () => {
    const { take, pool, log } = rig([a]);
    take().failed(refused);
    take().released();
    pool.update([a, b]);
    take().failed(refused);
    take().released();
    expect(log.filter(line => line.startsWith("panic all-down"))).toEqual([
      "panic all-down a: connection refused",
      "panic all-down a,b: connection refused",
    ]);
  });
});
