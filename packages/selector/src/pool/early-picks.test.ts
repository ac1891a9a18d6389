// Picks for clients that have not come yet.
import type { EarlyPick, GatewayError, Selector, Verdict } from "@gw/interface";
import { GatewayError as GwError } from "@gw/interface";
import { expect, test } from "vitest";
import { a, b, c, endpoint, inTurn, refused, rig, timedOut } from "../../test/support.js";
import {
  first,
  leader,
  leastConnections,
  nearest,
  random,
  roundRobin,
  stickyRandom,
  twoChoices,
  weightedRandom,
  weightedRoundRobin,
} from "../index.js";
import type { EndpointPool } from "./endpoint-pool.js";
import { createPool } from "./pool.js";

const ahead = first();
const unhealthy = new GwError("unhealthy", "no leader");

function failed(scope: Verdict["scope"] = "endpoint"): Verdict {
  return { check: "etcd", error: unhealthy, scope, connectable: true } as Verdict;
}

function pickFrom(pool: EndpointPool): EarlyPick {
  const pick = pool.pickAhead?.();
  if (!pick) throw new Error("no pick");
  return pick;
}

/** A lease by a pick, and the errors with which it was revoked. */
function leaseBy(pick: EarlyPick) {
  const revoked: GatewayError[] = [];
  const lease = pick.lease({ tried: [], onRevoked: error => revoked.push(error) });
  return { lease, revoked };
}

/** How often picks became void. */
function countVoid(pool: EndpointPool): () => number {
  let count = 0;
  pool.onPicksVoid?.(() => {
    count += 1;
  });
  return () => {
    const seen = count;
    count = 0;
    return seen;
  };
}

const connectionsOf = (pool: EndpointPool, index: number) => pool.inspect()[index]?.connections;

test.each<[string, boolean, Selector]>([
  ["sticky-random", true, stickyRandom()],
  ["sticky-random with failback", true, stickyRandom({ failbackMs: 1_000 })],
  ["random", true, random()],
  ["round-robin", true, roundRobin()],
  ["weighted-random", true, weightedRandom()],
  ["weighted-round-robin", true, weightedRoundRobin()],
  ["first", true, first()],
  ["leader", false, leader()],
  ["nearest", false, nearest()],
  ["least-connections", false, leastConnections()],
  ["two-choices", false, twoChoices()],
  ["one of a user's", false, inTurn()],
  ["one of a user's that picks ahead", true, { ...inTurn(), picksAhead: true }],
])("%s picks ahead: %s", (_, expected, selector) => {
  const { pool } = rig([a, b], { selector });
  expect(pool.pickAhead?.() !== undefined).toBe(expected);
});

test("a selector made of a built-in policy and another pick picks nothing ahead, unless it says so", () => {
  const pick: Selector["pick"] = candidates => candidates[0];
  const ahead = (selector: Selector): boolean => {
    const pool = createPool({ selector });
    pool.update([a, b]);
    return pool.pickAhead?.() !== undefined;
  };
  expect(ahead({ ...roundRobin() })).toBe(false);
  expect(ahead({ ...roundRobin(), pick })).toBe(false);
  expect(ahead({ ...roundRobin(), pick, picksAhead: true })).toBe(true);
});

test("a selector whose picksAhead throws picks nothing ahead, is reported once, and serves its clients", () => {
  let works = false;
  const { pool, hosts, log } = rig([a, b], {
    selector: {
      pick: ([one]) => one,
      get picksAhead() {
        if (works) return true;
        throw new Error("boom");
      },
    },
  });
  expect([pool.pickAhead?.(), pool.pickAhead?.()]).toEqual([undefined, undefined]);
  expect(log).toEqual(["[selector-failed] the selector failed: it picks nothing ahead: boom"]);
  expect(hosts(2)).toEqual(["a", "a"]);
  works = true;
  expect(pool.pickAhead?.()).toBeDefined();
});

test("sticky-random picks ahead only while it is at home, since the return depends on the time", () => {
  const { pool } = rig([a, b], { selector: stickyRandom({ failbackMs: 1_000, random: () => 0 }) });
  expect(pickFrom(pool).endpoint).toMatchObject(a);
  const lease = pool.acquire({ tried: [], onRevoked() {} });
  lease?.failed(refused);
  pool.acquire({ tried: [a], onRevoked() {} })?.connected();
  expect(pool.pickAhead?.()).toBeUndefined();
});

test("an early pick counts as no connection before it has a lease, and then as any other", () => {
  const { pool } = rig([a, b], { selector: ahead });
  const picks = [pickFrom(pool), pickFrom(pool)];
  expect(connectionsOf(pool, 0)).toBe(0);
  const [one] = picks.map(leaseBy);
  expect(connectionsOf(pool, 0)).toBe(2);
  one?.lease.connected();
  one?.lease.released();
  expect(connectionsOf(pool, 0)).toBe(1);
});

test("early picks and those of clients that have come are in the order of the policy", () => {
  const weighted = [endpoint("a", { weight: 5 }), endpoint("b", { weight: 1 }), endpoint("c", { weight: 1 })];
  const { pool } = rig(weighted, { selector: weightedRoundRobin() });
  const hosts: string[] = [];
  for (let count = 0; count < 7; count++) {
    const picked = count % 2 ? pickFrom(pool) : pool.acquire({ tried: [], onRevoked() {} });
    hosts.push(picked?.endpoint.host ?? "");
  }
  expect(hosts.join("")).toBe("aabacaa");
});

test("early picks are void when an endpoint is marked down or up, and when the set changes", () => {
  const { pool, take } = rig([a, b], { selector: ahead });
  const seen = countVoid(pool);
  take().failed(refused);
  expect(seen()).toBeGreaterThan(0);
  take(a).connected();
  expect(seen()).toBe(0);
  pool.report(b, failed(), true);
  expect(seen()).toBeGreaterThan(0);
  pool.update([a, b, c]);
  expect(seen()).toBeGreaterThan(0);
  pool.update([a, b, { ...c, weight: 5 }]);
  expect(seen()).toBeGreaterThan(0);
});

test("early picks are void when they are told so, before observers hear of it", () => {
  const order: string[] = [];
  const { pool, take } = rig([a, b], {
    selector: ahead,
    observer: { endpointDown: () => order.push("down") },
  });
  pool.onPicksVoid?.(() => order.push("void"));
  take().failed(refused);
  expect(order.slice(0, 2)).toEqual(["void", "down"]);
});

test("there are no early picks before the first set, while an endpoint fails over, and while all are down", () => {
  const waiting = createPool({ selector: ahead, waitForEndpoints: true });
  expect(waiting.pickAhead?.()).toBeUndefined();
  waiting.close();
  const { pool, take } = rig([a, b], { selector: ahead });
  take().connected();
  expect(pool.pickAhead?.()).toBeDefined();
  take().failed(refused);
  expect(pool.pickAhead?.()).toBeUndefined();
  take(a).connected();
  expect(pool.pickAhead?.()?.endpoint).toMatchObject(b);
  take(a).failed(timedOut);
  expect(pool.pickAhead?.()).toBeUndefined();
});

test("a client that came before its endpoint was marked down goes on to the next, if it is not connected yet", async () => {
  const { pool, clock, take } = rig([a, b], { selector: ahead });
  const [late, connected] = [pickFrom(pool), pickFrom(pool)];
  take().failed(refused);
  const dialling = leaseBy(late);
  const open = leaseBy(connected);
  open.lease.connected();
  expect(dialling.revoked).toEqual([]);
  await clock.advance(50);
  expect(dialling.revoked).toEqual([refused]);
  expect(open.revoked).toEqual([]);
  // That it was connected is older than that the endpoint was marked down.
  expect(pool.inspect()[0]).toMatchObject({ state: "down", connections: 2 });
});

test("clients that came before their endpoint was removed are drained as its others", async () => {
  const { pool, clock } = rig([a, b], { selector: ahead, onRemoved: "close", random: () => 0.5 });
  const [late, connected] = [pickFrom(pool), pickFrom(pool)];
  pool.update([b]);
  const dialling = leaseBy(late);
  const open = leaseBy(connected);
  open.lease.connected();
  await clock.advance(50);
  expect(dialling.revoked).toHaveLength(1);
  expect(pool.inspect().map(({ state }) => state)).toEqual(["up", "draining"]);
  await clock.advance(10_000);
  expect(open.revoked).toHaveLength(1);
  dialling.lease.failed(refused);
  open.lease.released();
  expect(pool.inspect().map(({ endpoint: { host } }) => host)).toEqual(["b"]);
});

test("clients that came before their endpoint was rejected are reset", async () => {
  const { pool, clock } = rig([a, b], { selector: ahead, onRemoved: "leave" });
  const foreign = new GwError("unhealthy", "another cluster");
  const pick = pickFrom(pool);
  pool.update([b], [{ endpoint: a, error: foreign }]);
  const { lease, revoked } = leaseBy(pick);
  lease.connected();
  await clock.advance(50);
  expect(revoked).toEqual([foreign]);
});

test("an endpoint that is avoided gets no early picks, and those that it has are void", () => {
  const { pool } = rig([a, b], { selector: ahead });
  const seen = countVoid(pool);
  expect(pool.pickAhead?.()).toBeDefined();
  pool.avoid?.(a, true);
  expect(seen()).toBe(1);
  expect(pool.pickAhead?.()).toBeUndefined();
  pool.avoid?.(a, true);
  expect(seen()).toBe(0);
  pool.avoid?.(a, false);
  expect(pool.pickAhead?.()).toBeDefined();
});
