import type { DialStock, EarlyPick, Endpoint, Lease, PlannedDial, Pool } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, inOrder, type Lookup } from "./index.js";
import { Stock, type StockedDial, type StockOptions } from "./stock.js";

const literal: Endpoint = { host: "127.0.0.1", port: 2379, priority: 0, weight: 0 };
const named: Endpoint = { ...literal, host: "etcd.test" };

/** Picks of `endpoints` in turn. */
function inTurn(endpoints: readonly Endpoint[]): () => EarlyPick {
  let picks = 0;
  return () => {
    const endpoint = endpoints[picks % endpoints.length] as Endpoint;
    picks += 1;
    return { endpoint, lease: () => ({ endpoint }) as Lease };
  };
}

/** What a relay with a stock does, without clients: the first dials are taken by hand. */
function queueOf(): DialStock & { readonly dials: PlannedDial[] } {
  const dials: PlannedDial[] = [];
  return {
    dials,
    add: added => dials.push(...added) && added.length,
    take: () => dials.shift(),
    takeBack: () => dials.splice(0),
  };
}

/** A stock for clients of `endpoint`, or of several in turn, of which there may be a hundred. */
function rig(endpoint: Endpoint | readonly Endpoint[], options: Partial<StockOptions> = {}) {
  const clock = manualClock();
  let addresses = ["127.0.0.1", "127.0.0.2"];
  const lookup: Lookup = async () => ({ addresses, ttlMs: 5_000 });
  const dialer = createDialer({ clock, lookup, random: () => 0 });
  const listeners: (() => void)[] = [];
  const pool: Pool = {
    ...inOrder([endpoint].flat()),
    pickAhead: inTurn([endpoint].flat()),
    onPicksVoid(listener) {
      listeners.push(listener);
      return () => void listeners.splice(0);
    },
  };
  const dials = queueOf();
  const stock = new Stock({
    dials,
    pool,
    dialer,
    clock,
    room: () => 100,
    allows: () => true,
    most: 64,
    ...options,
  });
  return {
    clock,
    dialer,
    dials,
    stock,
    isWatched: () => listeners.length > 0,
    voidPicks: () => {
      for (const call of listeners) call();
    },
    /** A client comes that takes a dial; the relay reports it. */
    use: () => dials.take() && stock.used(),
    /** Clients come one after the other: the hosts that they get, and which of them had no dial. */
    serve: (count: number) =>
      Array.from({ length: count }, () => {
        const dial = dials.take() as StockedDial | undefined;
        const lease = dial ? undefined : stock.lease({ tried: [], onRevoked() {} });
        if (dial) stock.used();
        stock.add();
        return dial?.pick.endpoint.host ?? `${lease?.endpoint.host} (asked)`;
      }),
    renumber: (...hosts: string[]) => {
      addresses = hosts;
    },
  };
}

test("dials are for the endpoint that is picked, with its addresses and timeout", () => {
  const { stock, dials, dialer } = rig(literal);
  stock.add();
  expect(dials.dials).toHaveLength(16);
  expect(dials.dials[0]).toMatchObject({ addresses: [literal], timeoutMs: dialer.connectTimeoutMs });
  expect(stock.outstanding).toBe(16);
});

test("it grows with the clients that come, up to its limit, and shrinks again", () => {
  const { stock, dials, use } = rig(literal);
  const sizes: number[] = [];
  for (const clients of [0, 4, 8, 12, 16, 0, 0, 0]) {
    for (let client = 0; client < clients; client++) use();
    stock.add();
    sizes.push(dials.dials.length);
  }
  expect(sizes).toEqual([16, 16, 32, 48, 64, 64, 64, 64]);
  while (dials.dials.length > 0) use();
  stock.add();
  expect(dials.dials).toHaveLength(64);
});

test("there is a place for each dial: in stock, and taken by a client that was not reported yet", () => {
  let open = 90;
  const { stock, dials } = rig(literal, { room: () => 100 - open });
  stock.add();
  expect(dials.dials).toHaveLength(10);
  // Two clients come and are not reported.
  dials.dials.splice(0, 2);
  stock.takeBack();
  stock.add();
  expect([dials.dials.length, stock.outstanding]).toEqual([8, 10]);
  open += 1;
  stock.used();
  stock.takeBack();
  stock.add();
  expect([dials.dials.length, stock.outstanding]).toEqual([8, 9]);
});

test("all dials are taken back when picks are void, and when it is closed", () => {
  const { stock, dials, voidPicks, isWatched } = rig(literal);
  stock.add();
  voidPicks();
  expect([dials.dials.length, stock.outstanding]).toEqual([0, 0]);
  stock.add();
  stock.close();
  stock.add();
  expect([dials.dials.length, stock.outstanding, isWatched()]).toEqual([0, 0, false]);
});

test("a client that came without a dial gets the oldest", () => {
  const { stock, dials } = rig(literal);
  expect(stock.take()).toBeUndefined();
  stock.add();
  const [oldest] = dials.dials;
  expect(stock.take()).toBe(oldest);
  expect(stock.outstanding).toBe(dials.dials.length);
});

test("a name that has to be looked up gets no dials, and no look-up", async () => {
  let lookups = 0;
  const lookup: Lookup = async () => {
    lookups += 1;
    return { addresses: ["127.0.0.1"], ttlMs: 5_000 };
  };
  const clock = manualClock();
  const dialer = createDialer({ clock, lookup, random: () => 0 });
  const { stock, dials } = rig(named, { dialer, clock });
  stock.add();
  expect([dials.dials.length, lookups]).toEqual([0, 0]);
  await dialer.route(named).next();
  stock.add();
  expect([dials.dials.length, lookups]).toEqual([16, 1]);
});

test("dials to a name are taken back when its addresses get old, and when they change", async () => {
  const { stock, dials, dialer, clock, renumber } = rig(named);
  const lookUp = async () => dialer.route(named).next();
  await lookUp();
  stock.add();
  expect(dials.dials[0]).toMatchObject({ addresses: [{ host: "127.0.0.1" }, { host: "127.0.0.2" }] });
  await clock.advance(4_999);
  expect(dials.dials).not.toEqual([]);
  await clock.advance(2);
  expect(dials.dials).toEqual([]);
  expect(clock.pending).toBe(0);

  await lookUp();
  stock.add();
  dialer.route(named).accepted({ host: "127.0.0.1", port: 2379 });
  expect(dials.dials).not.toEqual([]);
  dialer.route(named).accepted({ host: "127.0.0.2", port: 2379 });
  expect(dials.dials).toEqual([]);

  stock.add();
  expect(dials.dials[0]).toMatchObject({ addresses: [{ host: "127.0.0.2" }, { host: "127.0.0.1" }] });
  renumber("127.0.0.3");
  dialer.forget();
  expect(dials.dials).toEqual([]);
  await lookUp();
  stock.add();
  expect(dials.dials[0]).toMatchObject({ addresses: [{ host: "127.0.0.3" }] });
});

test("a name that has to be looked up gets its turn", async () => {
  const { stock, dialer, clock, serve } = rig([literal, named]);
  stock.add();
  expect(serve(4)).toEqual(["127.0.0.1", "etcd.test (asked)", "127.0.0.1", "etcd.test (asked)"]);
  await dialer.route(named).next();
  // New addresses void all dials, and no pick.
  expect(serve(4)).toEqual(["127.0.0.1 (asked)", "etcd.test", "127.0.0.1", "etcd.test"]);
  await clock.advance(5_001);
  expect(serve(4)).toEqual(["127.0.0.1 (asked)", "etcd.test (asked)", "127.0.0.1", "etcd.test (asked)"]);
});

test("picks that are void are dropped, also those without a dial", () => {
  const { stock, voidPicks, serve } = rig([named, literal]);
  stock.add();
  voidPicks();
  expect(stock.lease({ tried: [], onRevoked() {} })).toBeUndefined();
  stock.add();
  expect(serve(1)).toEqual(["127.0.0.1"]);
  stock.close();
  expect(stock.lease({ tried: [], onRevoked() {} })).toBeUndefined();
});

test("endpoints that may lead back to this gateway get no dials", () => {
  const { stock, dials } = rig(literal, { allows: () => false });
  stock.add();
  expect(dials.dials).toEqual([]);
});

test("an endpoint that is the gateway itself gets no dials", () => {
  const { stock, dials, dialer } = rig(literal);
  stock.add();
  dialer.avoid([literal]);
  expect(dials.dials).toEqual([]);
  stock.add();
  expect(dials.dials).toEqual([]);
});

test("each dial has a pick of its own", () => {
  const { stock, dials } = rig(literal);
  stock.add();
  expect(new Set(dials.dials.map(dial => (dial as StockedDial).pick)).size).toBe(16);
});
