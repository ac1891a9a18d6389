import type { GatewayError } from "@gw/interface";
import { beforeEach, expect, test } from "vitest";
import { a, refused, timedOut } from "../../test/support.js";
import { PoolEntry } from "./entry.js";
import { lease } from "./lease.js";

let member: PoolEntry;
let told: string[];

beforeEach(() => {
  member = new PoolEntry(a, 0);
  told = [];
});

function take(onRevoked: (error: GatewayError) => void = ({ code }) => told.push(`revoked: ${code}`)) {
  const outcomes = {
    now: () => 0,
    connected: (by: PoolEntry) => told.push(`connected ${by.endpoint.host} of ${by.connections}`),
    failed: (by: PoolEntry, { code }: GatewayError) =>
      told.push(`failed ${by.endpoint.host} of ${by.connections}: ${code}`),
    ended: () => {},
  };
  return lease(member, 1, outcomes, { tried: [], onRevoked });
}

test("a lease counts as a connection from the dial on, until its end", () => {
  const [one, two] = [take(), take()];
  expect(member.candidate.connections).toBe(2);
  one.connected();
  expect(member.candidate.connections).toBe(2);
  one.released();
  expect(member.candidate.connections).toBe(1);
  two.failed(refused);
  expect(member.candidate.connections).toBe(0);
});

test("a lease that failed no longer counts when the pool hears of it", () => {
  take().failed(refused);
  expect(told).toEqual(["failed a of 0: refused"]);
});

test("a lease whose client went away before it was connected ends without a verdict", () => {
  const one = take();
  one.released();
  one.connected();
  one.failed(refused);
  expect(member.connections).toBe(0);
  expect(told).toEqual([]);
});

test("a lease ends once, however often it is told to", () => {
  const [failing, releasing] = [take(), take()];
  for (let i = 0; i < 3; i++) {
    failing.failed(refused);
    failing.released();
    failing.connected();
  }
  expect(member.connections).toBe(1);
  releasing.connected();
  for (let i = 0; i < 3; i++) {
    releasing.released();
    releasing.failed(refused);
    releasing.connected();
  }
  expect(member.connections).toBe(0);
  expect(told).toEqual(["failed a of 1: refused", "connected a of 1"]);
});

test("a lease that is connected cannot fail, nor connect again", () => {
  const one = take();
  one.connected();
  one.connected();
  one.failed(refused);
  expect(told).toEqual(["connected a of 1"]);
  expect(member.connections).toBe(1);
});

test("a dial is revoked once, and only while it lasts", () => {
  const [dialling, connected, failed, released] = [take(), take(), take(), take()];
  connected.connected();
  failed.failed(refused);
  released.released();
  told.length = 0;
  member.revokeDials(timedOut);
  member.revokeDials(timedOut);
  expect(told).toEqual(["revoked: timed-out"]);
  dialling.failed(timedOut);
  expect(told).toEqual(["revoked: timed-out", "failed a of 1: timed-out"]);
});

test("a dial that is revoked may fail at once, from within the call", () => {
  const one = take(error => one.failed(error));
  const two = take(error => two.failed(error));
  member.revokeDials(timedOut);
  expect(told).toEqual(["failed a of 1: timed-out", "failed a of 0: timed-out"]);
});

test("a dial that begins while others are revoked is not revoked with them", () => {
  take(() => take());
  member.revokeDials(timedOut);
  expect(told).toEqual([]);
  expect(member.connections).toBe(2);
});

test("a dial that succeeds although it was revoked is a connection", () => {
  const one = take();
  member.revokeDials(timedOut);
  one.connected();
  expect(told).toEqual(["revoked: timed-out", "connected a of 1"]);
});

test("many dials are revoked a few at a time, unless they succeed or the endpoint is up meanwhile", async () => {
  member.removed = true;
  const dials = Array.from({ length: 100 }, () => take());
  member.revokeDials(timedOut);
  expect(told).toHaveLength(32);
  dials[40]?.connected();
  await new Promise(resolve => setImmediate(resolve));
  expect(told).toHaveLength(32 + 1 + 31);
  member.removed = false;
  await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setImmediate(resolve));
  expect(told).toHaveLength(64);
  expect(told.filter(what => what.startsWith("connected"))).toHaveLength(1);
});

test("a candidate shows what is current, and cannot be changed", () => {
  const { candidate } = member;
  expect(Object.isFrozen(candidate)).toBe(true);
  expect(() => Object.assign(candidate, { connections: 7 })).toThrow(TypeError);
  take();
  member.endpoint = { ...a, weight: 9 };
  expect(candidate).toMatchObject({ connections: 1, endpoint: { weight: 9 } });
});
