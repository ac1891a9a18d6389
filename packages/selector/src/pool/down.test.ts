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

  test("is set aside for a minute unless told otherwise", () => {
    const told: number[] = [];
    const pool = createPool({ observer: { endpointDown: ({ retryInMs }) => told.push(retryInMs) } });
    pool.update([a]);
    pool.acquire({ tried: [], onRevoked() {} })?.failed(refused);
    pool.close();
    expect(told).toEqual([60_000]);
  });

  test("for a reason of this machine's own is not set aside", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    for (const code of ["out-of-resources", "address-not-available", "aborted"] as const)
      take().failed(new GatewayError(code, "not the endpoint's fault"));
    expect(hosts(1)).toEqual(["a"]);
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("is set aside once, however many dials fail", () => {
    const { take, log, clock } = rig([a, b]);
    const leases = [take(), take(), take()];
    for (const lease of leases) lease.failed(refused);
    expect(log.length).toBe(1);
    expect(clock.pending).toBe(1);
  });

  test("revokes all other dials to it, and neither connections nor dials elsewhere", () => {
    const { take } = rig([a, b]);
    const connected = take();
    connected.connected();
    const [failing, dialling, elsewhere] = [take(), take(), take(a)];
    failing.failed(timedOut);
    expect(dialling.revoked).toEqual([timedOut]);
    for (const lease of [failing, connected, elsewhere]) expect(lease.revoked).toEqual([]);
  });

  test("is not set aside by a dial that began before another succeeded", () => {
    const { take, log } = rig([a, b]);
    const [older, younger] = [take(), take()];
    younger.connected();
    older.failed(timedOut);
    expect(log).toEqual([]);
    take().failed(timedOut);
    expect(log).toHaveLength(1);
  });

  test("leaves other dials alone where there is nowhere else to go", () => {
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

describe("when all are set aside", () => {
  test("all are tried all the same, which is said once until one is back", async () => {
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

  test("a connection that is made brings its endpoint back at once", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    take().failed(refused);
    take(a).connected();
    expect(log.slice(-2)).toEqual(["up b after 0", "panic over after 0"]);
    expect(hosts(1)).toEqual(["b"]);
    expect(clock.pending).toBe(1);
  });

  test("it is not said for a client that has tried what is up", () => {
    const { take, log } = rig([a, b]);
    take().failed(refused);
    expect(take(b).endpoint.host).toBe("a");
    expect(log.length).toBe(1);
  });

  test("it is said again if in between a new endpoint was up", () => {
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
