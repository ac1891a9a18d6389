import { GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, inTurn, refused, rig } from "../../test/support.js";

describe("an update", () => {
  test("reports which endpoints are new and which are gone, and nothing if there is none", () => {
    const { pool, log } = rig([a, b]);
    pool.update([b, c]);
    pool.update([c, b]);
    pool.update([{ ...b, weight: 7 }, c]);
    expect(log).toEqual(["changed +c -a"]);
  });

  test("offers what is new, and no longer what is gone", () => {
    const { pool, hosts } = rig([a, b], { selector: inTurn() });
    pool.update([b, c]);
    expect(hosts(4)).toEqual(["b", "c", "b", "c"]);
  });

  test("keeps an endpoint down that stays", async () => {
    const { pool, take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    await clock.advance(600);
    pool.update([c, a]);
    expect(hosts(2)).toEqual(["c", "c"]);
    await clock.advance(400);
    expect(log.at(-1)).toBe("up a after 1000");
    expect(clock.pending).toBe(0);
  });

  test("keeps the numbers of connections of what stays", () => {
    let seen: readonly number[] = [];
    const { pool, take } = rig([a, b], {
      selector: {
        pick(candidates) {
          seen = candidates.map(({ connections }) => connections);
          return candidates[0];
        },
      },
    });
    const lease = take();
    pool.update([c, { ...a, weight: 1 }]);
    take();
    expect(seen).toEqual([0, 1]);
    lease.released();
    take();
    expect(seen).toEqual([1, 0]);
  });

  test("takes over new priorities and weights of what stays", () => {
    const { pool, hosts, take } = rig([a, b]);
    pool.update([
      { ...a, priority: 2 },
      { ...b, priority: 1, weight: 5 },
    ]);
    expect(hosts(2)).toEqual(["b", "b"]);
    expect(take().endpoint).toEqual({ ...b, priority: 1, weight: 5 });
  });

  test("revokes the dials to what is gone, once", () => {
    const { pool, take } = rig([a, b], { onRemoved: "leave" });
    const [dialling, connected, staying] = [take(), take(), take(a)];
    connected.connected();
    pool.update([b]);
    expect(dialling.revoked.map(({ message }) => message)).toEqual([
      "[aborted] a:2379 is no longer an endpoint",
    ]);
    expect([...connected.revoked, ...staying.revoked]).toEqual([]);
    pool.update([c]);
    expect(dialling.revoked.length).toBe(1);
  });

  test("resets the connections of what is rejected, also of what left before", () => {
    const { pool, take } = rig([a, b, c], { onRemoved: "leave" });
    const [staying, leaving] = [take(), take(a)];
    staying.connected();
    leaving.connected();
    pool.update([a, c]);
    const error = new GatewayError("wrong-cluster", "another cluster");
    pool.update(
      [c],
      [a, b].map(endpoint => ({ endpoint, error })),
    );
    expect([staying.revoked, leaving.revoked]).toEqual([[error], [error]]);
  });

  test("tells whether a connection has shown that an endpoint is up again", () => {
    const connected: string[] = [];
    const { take } = rig([a], {
      onConnected: ({ host }, isRecovered) => connected.push(`${host} ${isRecovered}`),
    });
    take().connected();
    take().failed(refused);
    take().connected();
    expect(connected).toEqual(["a false", "a true"]);
  });

  test("ends the retries of what is gone", async () => {
    const probed: string[] = [];
    const { pool, take, log, clock } = rig([a, b], {
      probe: async ({ host }) => {
        probed.push(host);
      },
    });
    take().failed(refused);
    pool.update([b]);
    expect(clock.pending).toBe(0);
    await clock.advance(5_000);
    expect(probed).toEqual([]);
    expect(log.some(line => line.startsWith("up"))).toBe(false);
  });

  test("lets an endpoint that returns start from scratch", async () => {
    const { pool, take, hosts, clock } = rig([a, b]);
    take().failed(refused);
    pool.update([b]);
    pool.update([a, b]);
    expect(hosts(1)).toEqual(["a"]);
    expect(clock.pending).toBe(0);
  });

  test("ignores outcomes of dials to what is gone", () => {
    const { pool, take, log, clock } = rig([a, b]);
    const [failing, connecting] = [take(), take()];
    pool.update([b]);
    log.length = 0;
    failing.failed(refused);
    connecting.connected();
    connecting.released();
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("marks nothing up that was removed while it was down", () => {
    const { pool, take, log } = rig([a, b]);
    take().failed(refused);
    const lastChance = take(b);
    pool.update([b]);
    lastChance.connected();
    expect(log.some(line => line.startsWith("up"))).toBe(false);
  });

  test("keeps the endpoints as they were given, whatever happens to the caller's objects", () => {
    const mine = { host: "a", port: 2379, priority: 0, weight: 0 };
    const array = [mine];
    const { hosts, take } = rig(array);
    mine.host = "changed";
    array.length = 0;
    expect(hosts(1)).toEqual(["a"]);
    expect(Object.isFrozen(take().endpoint)).toBe(true);
    expect(Object.isFrozen(mine)).toBe(false);
  });

  test("distinguishes endpoints of one host by their ports", () => {
    const { pool, take, log } = rig([endpoint("a", { port: 1 }), endpoint("a", { port: 2 })]);
    take().failed(refused);
    expect(take().endpoint.port).toBe(2);
    pool.update([endpoint("a", { port: 1 })]);
    expect(log.slice(-2)).toEqual(["changed + -a", "panic all-down a: connection refused"]);
    expect(take().endpoint.port).toBe(1);
  });
});
