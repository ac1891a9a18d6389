import type { GatewayError } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { beforeEach, expect, test } from "vitest";
import { a, refused, timedOut } from "../../test/support.js";
import { PoolEntry } from "./entry.js";
import { Leadership } from "./leadership.js";
import { createLease, revokeDials } from "./lease.js";

let entry: PoolEntry;
let events: string[];

beforeEach(() => {
  const clock = manualClock();
  entry = new PoolEntry(a, 0, { clock, leadership: new Leadership(clock) });
  events = [];
});

function take(onRevoked: (error: GatewayError) => void = ({ code }) => events.push(`revoked: ${code}`)) {
  const outcomes = {
    now: () => 0,
    stalled: () => {},
    abandoned: () => {},
    endedLate: () => {},
    connected: (by: PoolEntry) => events.push(`connected ${by.endpoint.host} of ${by.connections}`),
    failed: (by: PoolEntry, { code }: GatewayError) =>
      events.push(`failed ${by.endpoint.host} of ${by.connections}: ${code}`),
    ended: () => {},
  };
  return createLease(entry, 1, outcomes, { tried: [], onRevoked });
}

test("a lease counts as a connection from the dial on, until its end", () => {
  const [one, two] = [take(), take()];
  expect(entry.candidate.connections).toBe(2);
  one.connected();
  expect(entry.candidate.connections).toBe(2);
  one.released();
  expect(entry.candidate.connections).toBe(1);
  two.failed(refused);
  expect(entry.candidate.connections).toBe(0);
});

test("a lease that failed no longer counts when the pool is notified", () => {
  take().failed(refused);
  expect(events).toEqual(["failed a of 0: refused"]);
});

test("a lease whose client went away before it was connected ends without a verdict", () => {
  const one = take();
  one.released();
  one.connected();
  one.failed(refused);
  expect(entry.connections).toBe(0);
  expect(events).toEqual([]);
});

test("a lease ends once, however often its end is called for", () => {
  const [failing, releasing] = [take(), take()];
  for (let i = 0; i < 3; i++) {
    failing.failed(refused);
    failing.released();
    failing.connected();
  }
  expect(entry.connections).toBe(1);
  releasing.connected();
  for (let i = 0; i < 3; i++) {
    releasing.released();
    releasing.failed(refused);
    releasing.connected();
  }
  expect(entry.connections).toBe(0);
  expect(events).toEqual(["failed a of 1: refused", "connected a of 1"]);
});

test("a lease that is connected cannot fail, nor connect again", () => {
  const one = take();
  one.connected();
  one.connected();
  one.failed(refused);
  expect(events).toEqual(["connected a of 1"]);
  expect(entry.connections).toBe(1);
});

test("a dial is revoked once, and only while it lasts", () => {
  const [dialling, connected, failed, released] = [take(), take(), take(), take()];
  connected.connected();
  failed.failed(refused);
  released.released();
  events.length = 0;
  revokeDials(entry, timedOut);
  revokeDials(entry, timedOut);
  expect(events).toEqual(["revoked: timed-out"]);
  dialling.failed(timedOut);
  expect(events).toEqual(["revoked: timed-out", "failed a of 1: timed-out"]);
});

test("a dial that is revoked may fail at once, from within the call", () => {
  const one = take(error => one.failed(error));
  const two = take(error => two.failed(error));
  revokeDials(entry, timedOut);
  expect(events).toEqual(["failed a of 1: timed-out", "failed a of 0: timed-out"]);
});

test("a dial that begins while others are revoked is not revoked with them", () => {
  take(() => take());
  revokeDials(entry, timedOut);
  expect(events).toEqual([]);
  expect(entry.connections).toBe(2);
});

test("a dial that succeeds although it was revoked is a connection", () => {
  const one = take();
  revokeDials(entry, timedOut);
  one.connected();
  expect(events).toEqual(["revoked: timed-out", "connected a of 1"]);
});

test("many dials are revoked a few at a time, unless they succeed or the endpoint is up meanwhile", async () => {
  entry.startDraining(0);
  const dials = Array.from({ length: 100 }, () => take());
  revokeDials(entry, timedOut);
  expect(events).toHaveLength(32);
  dials[40]?.connected();
  await new Promise(resolve => setImmediate(resolve));
  expect(events).toHaveLength(32 + 1 + 31);
  entry.readmit(0);
  await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setImmediate(resolve));
  expect(events).toHaveLength(64);
  expect(events.filter(what => what.startsWith("connected"))).toHaveLength(1);
});

test("a candidate shows what is current, and cannot be changed", () => {
  const { candidate } = entry;
  expect(Object.isFrozen(candidate)).toBe(true);
  expect(() => Object.assign(candidate, { connections: 7 })).toThrow(TypeError);
  take();
  entry.move({ ...a, weight: 9 }, 0);
  expect(candidate).toMatchObject({ connections: 1, endpoint: { weight: 9 } });
});
