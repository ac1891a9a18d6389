import { GatewayError, type Verdict } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, refused, rig, timedOut } from "../../test/support.js";

const hangs = new GatewayError("timed-out", "it hangs");
const healthy: Verdict = { check: "etcd /health", scope: "endpoint" };
const hanging: Verdict = { check: "etcd /health", scope: "endpoint", error: hangs };
const leaderless: Verdict = {
  check: "etcd /health",
  scope: "cluster",
  error: new GatewayError("unhealthy", "no leader"),
};
const states = ({ pool }: ReturnType<typeof rig>): string[] =>
  pool.inspect().map(({ endpoint, state, unhealthy }) => `${endpoint.host} ${state}${unhealthy ? "!" : ""}`);

describe("an endpoint that fails its health checks", () => {
  test("is marked down, and its connections are closed, for they may hang", async () => {
    const { pool, take, hosts, log, clock } = rig([a, b, c]);
    const leases = [take(), take()];
    for (const lease of leases) lease.connected();
    pool.report(a, hanging, false);
    expect(log).toEqual(["down a for 1000: it hangs", "closing 2 of a within 1000"]);
    expect(hosts(1)).toEqual(["b"]);
    await clock.advance(20);
    expect(leases.map(({ revoked }) => revoked)).toEqual([[hangs], [hangs]]);
  });

  test.each([["leave"], ["drain"]] as const)(
    "keeps its connections for now under `%s`",
    async onUnhealthy => {
      const { pool, take, clock } = rig([a, b, c], {
        onUnhealthy,
        drainTimeoutMs: 10_000,
        probe: async () => Promise.reject(refused),
      });
      const lease = take();
      lease.connected();
      pool.report(a, hanging, false);
      await clock.advance(4_999);
      expect(lease.revoked).toEqual([]);
      await clock.advance(10_000);
      expect(lease.revoked.length).toBe(onUnhealthy === "drain" ? 1 : 0);
    },
  );

  test("keeps connections that are draining when it is up in time", async () => {
    const { pool, take, clock, log } = rig([a, b, c], { onUnhealthy: "drain" });
    const lease = take();
    lease.connected();
    pool.report(a, hanging, false);
    await clock.advance(60_000);
    expect(log.at(-1)).toBe("up a after 1000");
    expect(lease.revoked).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("is not marked up by a dial, which cannot detect that fault", () => {
    const one = rig([a, b], { panicThreshold: 1 });
    one.pool.report(a, hanging, false);
    one.take(b).connected();
    expect(states(one)).toEqual(["a down!", "b up"]);
  });

  test.each([
    ["it refuses connections", { ...hanging, error: refused }],
    ["only a dial was made to find out", { ...hanging, check: "tcp", connectable: false }],
  ])("is marked up by a dial if %s", (_, verdict) => {
    const one = rig([a, b]);
    one.pool.report(a, verdict, false);
    one.take(b).connected();
    expect(states(one)).toEqual(["a up", "b up"]);
  });

  test("is not marked down twice, and a healthy verdict that comes late changes nothing", () => {
    const { pool, log } = rig([a, b, c]);
    pool.report(a, hanging, false);
    log.length = 0;
    pool.report(a, hanging, false);
    pool.report(a, healthy, true);
    expect(log).toEqual([]);
  });

  test("that is unknown, or gone, is ignored", () => {
    const { pool, log } = rig([a]);
    pool.report(b, hanging, false);
    pool.update([c]);
    log.length = 0;
    pool.report(a, hanging, false);
    expect(log).toEqual([]);
  });

  test("and that a dial had marked down before loses its connections as healthy", async () => {
    const { pool, take, log, clock } = rig([a, b, c], { probe: async () => Promise.reject(refused) });
    const lease = take();
    lease.connected();
    take().failed(timedOut);
    await clock.advance(500);
    expect(lease.revoked).toEqual([]);
    log.length = 0;
    pool.report(a, leaderless, false);
    expect(log).toEqual([]);
    pool.report(a, hanging, false);
    expect(log).toEqual(["closing 1 of a within 1000"]);
    await clock.advance(10);
    expect(lease.revoked).toEqual([hangs]);
  });

  test("and that is removed does not keep hanging connections through a drain", async () => {
    const { pool, take, log, clock } = rig([a, b], { onUnhealthy: "close", onRemoved: "drain" });
    take().connected();
    // No other is up, so nothing is closed.
    take(a).failed(refused);
    pool.report(a, hanging, false);
    log.length = 0;
    pool.update([b]);
    expect(log[0]).toBe("closing 1 of a within 1000");
    await clock.advance(10);
  });
});

describe("a fault of the cluster", () => {
  test("is no reason for a failover while no other is known to be healthy, and is reported once", () => {
    const one = rig([a, b]);
    const lease = one.take();
    lease.connected();
    for (let i = 0; i < 3; i++) for (const each of [a, b]) one.pool.report(each, leaderless, false);
    expect(states(one)).toEqual(["a up", "b up"]);
    expect(one.log).toEqual(["panic cluster a: no leader"]);
    one.pool.report(b, healthy, true);
    expect(one.log.at(-1)).toBe("panic over after 0");
    one.pool.report(a, leaderless, true);
    expect(states(one)).toEqual(["a down!", "b up"]);
  });
});

describe("when health checks mark down more than the threshold", () => {
  test("of those that serve, they are ignored, and connections are kept", async () => {
    const one = rig([a, b, c], { probe: async () => Promise.reject(hangs) });
    const { pool, take, hosts, log, clock } = one;
    pool.report(a, hanging, false);
    expect(hosts(1)).toEqual(["b"]);
    const lease = take();
    lease.connected();
    log.length = 0;
    pool.report(b, hanging, false);
    expect(log).toEqual(["down b for 1000: it hangs", "panic most-unhealthy a,b: it hangs"]);
    expect(hosts(1)).toEqual(["a"]);
    await clock.advance(30_000);
    expect(lease.revoked).toEqual([]);
    expect(states(one)).toEqual(["a down!", "b down!", "c up"]);
  });

  test("connections are closed that hang still when it is over", async () => {
    let up: readonly string[] = [];
    const { pool, take, log, clock } = rig([a, b, c], {
      probe: async ({ host }) => (up.includes(host) ? undefined : Promise.reject(hangs)),
    });
    const lease = take();
    lease.connected();
    pool.report(b, hanging, false);
    pool.report(a, hanging, false);
    await clock.advance(900);
    expect(lease.revoked).toEqual([]);
    up = ["b"];
    await clock.advance(200);
    expect(log).toEqual(
      expect.arrayContaining(["up b after 1000", "panic over after 1000", "closing 1 of a within 1000"]),
    );
    expect(lease.revoked).toEqual([hangs]);
  });

  test("those that refuse connections do not count: it is no mistake that they are down", () => {
    const { pool, hosts } = rig([a, b, c]);
    pool.report(a, { ...hanging, error: refused }, false);
    pool.report(b, { ...hanging, error: refused }, false);
    expect(hosts(2)).toEqual(["c", "c"]);
  });

  test("a priority of which no endpoint is up is left for the next one", () => {
    const { pool, hosts, log } = rig([a, b, endpoint("c", { priority: 1 })]);
    pool.report(a, hanging, false);
    pool.report(b, hanging, false);
    expect(hosts(2)).toEqual(["c", "c"]);
    expect(log.some(line => line.startsWith("panic"))).toBe(false);
  });

  test("of 1 they are never ignored", () => {
    const { pool, hosts } = rig([a, b, c], { panicThreshold: 1 });
    pool.report(a, hanging, false);
    pool.report(b, hanging, false);
    expect(hosts(1)).toEqual(["c"]);
    pool.report(c, hanging, false);
    expect(hosts(1)).toEqual(["a"]);
  });
});

describe("suspicion", () => {
  const listened = (): {
    readonly suspects: string[];
    readonly onSuspicion: (one: { host: string }) => void;
  } => {
    const suspects: string[] = [];
    return { suspects, onSuspicion: ({ host }) => suspects.push(host) };
  };

  test("falls on an endpoint whose side of a connection was lost, and on none for any other reason", () => {
    const { suspects, onSuspicion } = listened();
    const { take, pool } = rig([a, b], { onSuspicion });
    const leases = [take(), take(), take()];
    for (const lease of leases) lease.connected();
    leases[0]?.released();
    leases[1]?.released(new GatewayError("out-of-resources", "no memory"));
    take().failed(refused);
    expect(suspects).toEqual(["a"]);
    suspects.length = 0;
    leases[2]?.released(timedOut);
    expect(suspects).toEqual(["a"]);
    const gone = take();
    gone.connected();
    pool.update([a]);
    gone.released(timedOut);
    expect(suspects).toEqual(["a"]);
  });

  test("falls on an endpoint whose client stalls or gives up, unless it is no longer in the pool", () => {
    const whys: string[] = [];
    const { take, pool } = rig([a, b], { onSuspicion: ({ host }, why) => whys.push(`${host} ${why}`) });
    const [one, gone, dialled] = [take(), take(), take()];
    dialled.abandoned?.();
    one.connected();
    gone.connected();
    one.stalled?.();
    one.abandoned?.();
    one.released();
    one.abandoned?.();
    expect(whys).toEqual(["a stalled", "a abandoned"]);
    pool.update([b]);
    gone.abandoned?.();
    expect(whys).toHaveLength(2);
  });

  test("falls on an endpoint that cannot be dialled while connections to it are open", () => {
    const { suspects, onSuspicion } = listened();
    const { take } = rig([a, b], { onSuspicion });
    take().failed(timedOut);
    expect(suspects).toEqual([]);
    take().connected();
    take().failed(timedOut);
    expect(suspects).toEqual(["b"]);
  });
});

describe("inspect", () => {
  test("returns the state of each endpoint, and since when", async () => {
    const { pool, take, clock } = rig([a, b], { onRemoved: "leave" });
    take().connected();
    take().released();
    await clock.advance(100);
    pool.report(a, healthy, true);
    take(a).failed(refused);
    await clock.advance(100);
    pool.update([b, c]);
    expect(pool.inspect()).toEqual([
      {
        endpoint: b,
        state: "down",
        unhealthy: false,
        inUse: false,
        connections: 0,
        since: 100,
        error: refused,
        retryAt: 1_100,
      },
      { endpoint: c, state: "up", unhealthy: false, inUse: false, connections: 0, since: 200 },
      {
        endpoint: a,
        state: "draining",
        unhealthy: false,
        inUse: false,
        connections: 1,
        since: 200,
        error: expect.objectContaining({ detail: "a:2379 is no longer an endpoint" }),
        verdict: healthy,
      },
    ]);
  });

  test("marks the one that the newest connection went to", () => {
    const { pool, take } = rig([a, b]);
    take().connected();
    take(a).connected();
    expect(pool.inspect().map(({ inUse }) => inUse)).toEqual([false, true]);
  });
});
