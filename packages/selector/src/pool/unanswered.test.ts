import { GatewayError, type Verdict } from "@gw/interface";
import { describe, expect, test } from "vitest";
import {
  a,
  b,
  c,
  endpoint,
  type Rig,
  type RigOptions,
  refused,
  rig,
  type TakenLease,
} from "../../test/support.js";

const healthy: Verdict = { check: "etcd /health", scope: "endpoint" };
const refusedByCheck = new GatewayError("reset", "it ended the connection before it sent a byte");
const why = "a:2379 ended 3 consecutive connections before it sent a byte";

/** A connection that ends at once; `answered` is what its proxy says of it. */
function connect({ take }: Rig, answered: boolean | undefined): TakenLease {
  const lease = take();
  lease.connected();
  lease.released(undefined, answered);
  return lease;
}

/** So many connections that the endpoint ends unanswered. */
function unanswered(pool: Rig, clients: number): void {
  for (let client = 0; client < clients; client++) connect(pool, false);
}

/** A pool whose checks of what is down succeed with this verdict, at once. */
function checked(verdict: Verdict | undefined, options: RigOptions = {}): Rig {
  return rig([a, b, c], { probe: async () => verdict, ...options });
}

describe("an endpoint that ends connections before it sends a byte", () => {
  test("is suspected at once, and marked down by the third consecutive one", () => {
    const suspects: string[] = [];
    const pool = rig([a, b], { onSuspicion: ({ host }) => void suspects.push(host) });
    unanswered(pool, 2);
    expect(suspects).toEqual(["a", "a"]);
    expect(pool.log).toEqual([]);
    unanswered(pool, 1);
    expect(pool.log).toEqual([`down a for 0: ${why}`]);
    expect(pool.hosts(1)).toEqual(["b"]);
  });

  test("is not marked down if it answers in between, or a client ends first, or much later", async () => {
    const pool = rig([a, b]);
    unanswered(pool, 2);
    connect(pool, true);
    unanswered(pool, 2);
    connect(pool, undefined);
    await pool.clock.advance(60_001);
    unanswered(pool, 2);
    expect(pool.log).toEqual([]);
  });

  test("is not marked down if a connection that was made meanwhile is answered, and open", () => {
    const pool = rig([a, b]);
    unanswered(pool, 1);
    const lease = pool.pool.acquire({ tried: [], onRevoked() {}, answered: true });
    lease?.connected();
    unanswered(pool, 20);
    expect(pool.log).toEqual([]);
    lease?.released(undefined, true);
    unanswered(pool, 3);
    expect(pool.log).toEqual([`down a for 0: ${why}`]);
  });

  test("is not marked down where a connection took long to end", async () => {
    const pool = rig([a, b]);
    for (let client = 0; client < 5; client++) {
      const lease = pool.take();
      lease.connected();
      await pool.clock.advance(15_200);
      lease.released(undefined, false);
    }
    expect(pool.log).toEqual([]);
  });

  test("is used on where no other is up", async () => {
    const pool = rig([a, b], { probe: async () => Promise.reject(refused) });
    pool.take().failed(refused);
    for (let client = 0; client < 5; client++) expect(connect(pool, false).endpoint.host).toBe("b");
    expect(pool.log).toEqual(["down a for 1000: connection refused"]);
  });

  test("keeps its open connections", () => {
    const pool = rig([a, b]);
    const open = pool.take();
    open.connected();
    unanswered(pool, 3);
    expect(pool.log).toEqual([`down a for 0: ${why}`]);
    expect(open.revoked).toEqual([]);
  });

  test("is not marked up by a connection that is accepted", async () => {
    const pool = rig([a, b], { probe: async () => Promise.reject(refused) });
    unanswered(pool, 3);
    const tried = pool.take(b);
    expect(tried.endpoint.host).toBe("a");
    tried.connected();
    await pool.clock.advance(10);
    expect(pool.log.filter(line => line.startsWith("up"))).toEqual([]);
  });

  test("that a check finds healthy is up at once, and its clients are at fault for more of them", async () => {
    const suspects: string[] = [];
    const pool = checked(healthy, { onSuspicion: ({ host }) => void suspects.push(host) });
    unanswered(pool, 3);
    await pool.clock.advance(0);
    expect(pool.log).toEqual([`down a for 0: ${why}`, "up a after 0"]);
    suspects.length = 0;
    for (let second = 0; second < 30; second++) {
      unanswered(pool, 10);
      await pool.clock.advance(1_000);
    }
    expect(pool.log).toHaveLength(2);
    // Checked again now and then, not for each of them.
    expect(suspects.length).toBeLessThanOrEqual(3);
  });

  test("that a check found healthy after the first of them is not marked down", () => {
    const pool = rig([a, b]);
    unanswered(pool, 1);
    pool.pool.report(a, healthy, true);
    unanswered(pool, 10);
    expect(pool.log).toEqual([]);
  });

  test.each([undefined, { check: "tcp", scope: "endpoint", conclusive: false } as const])(
    "that is up again without an answer is down again with the first one, for longer each time: %j",
    async verdict => {
      const pool = checked(verdict, { retryDelayMs: 1_000, maxRetryDelayMs: 8_000, random: () => 0 });
      unanswered(pool, 3);
      await pool.clock.advance(0);
      for (const ms of [1_000, 2_000, 4_000, 8_000]) {
        unanswered(pool, 1);
        expect(pool.log.at(-1)).toMatch(new RegExp(`^down a for ${ms}: `));
        expect(pool.hosts(1)).toEqual(["b"]);
        await pool.clock.advance(ms);
        expect(pool.log.at(-1)).toBe(`up a after ${ms}`);
      }
      connect(pool, true);
      unanswered(pool, 2);
      expect(pool.log.at(-1)).toMatch(/^up /);
    },
  );

  test("is no mistake of health checks, though they have found fault with most", () => {
    const failing: Verdict = { check: "tcp", scope: "endpoint", error: refusedByCheck };
    const pool = rig([a, b, c]);
    for (const one of [a, b]) pool.pool.report(one, failing, true);
    expect(pool.log.at(-1)).toMatch(/^panic most-unhealthy/);
    unanswered(pool, 3);
    expect(pool.log.at(-1)).toMatch(/^panic over/);
    expect(pool.hosts(2)).toEqual(["c", "c"]);
  });

  test("that was removed by another set is ignored", () => {
    const pool = rig([a, b]);
    const leases = Array.from({ length: 3 }, () => pool.take());
    for (const lease of leases) lease.connected();
    pool.pool.update([b, endpoint("d")]);
    pool.log.length = 0;
    for (const lease of leases) lease.released(undefined, false);
    expect(pool.log.filter(line => line.startsWith("down"))).toEqual([]);
  });
});
