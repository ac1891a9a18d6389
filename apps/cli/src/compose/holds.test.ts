import { type Endpoint, formatAddress } from "@gw/interface";
import { createPool } from "@gw/selector";
import { expect, test } from "vitest";
import { Holds } from "./holds.js";

const [a, b] = [1, 2].map(number => ({ host: `10.0.0.${number}`, port: 2379, priority: 0, weight: 0 })) as [
  Endpoint,
  Endpoint,
];

function open(onRemoved: "drain" | "leave" = "leave") {
  const failovers: string[] = [];
  const pool = createPool({ onRemoved, observer: { failover: ({ why }) => failovers.push(why) } });
  const holds = new Holds((endpoints, rejected) => pool.update(endpoints, rejected));
  holds.update([a, b]);
  const names = (): string[] => pool.inspect().map(one => `${formatAddress(one.endpoint)} ${one.state}`);
  return { pool, holds, failovers, names };
}

/** A connection to `endpoint`, and the error that its lease was revoked for. */
function connect(pool: ReturnType<typeof createPool>, endpoint: Endpoint) {
  const others = [a, b].filter(one => one !== endpoint);
  const revoked: string[] = [];
  const lease = pool.acquire({ tried: others, onRevoked: error => revoked.push(error.detail) });
  expect(lease?.endpoint).toMatchObject(endpoint);
  lease?.connected();
  return { lease, revoked };
}

test("a drained endpoint gets no new connections, and keeps its open ones", () => {
  const { pool, holds, names, failovers } = open();
  const { lease, revoked } = connect(pool, a);
  holds.hold(a, "drained");
  expect(names()).toEqual(["10.0.0.2:2379 up", "10.0.0.1:2379 draining"]);
  expect(revoked).toEqual([]);
  pool.acquire({ tried: [], onRevoked() {} })?.connected();
  expect(failovers).toEqual(["an operator has drained 10.0.0.1:2379"]);
  lease?.released();
  expect(names()).toEqual(["10.0.0.2:2379 up"]);
});

test("the connections of an endpoint that is marked down are reset at once", () => {
  const { pool, holds } = open();
  const { revoked } = connect(pool, a);
  holds.hold(a, "down");
  expect(revoked).toEqual(["an operator has marked down 10.0.0.1:2379"]);
});

test("a hold stays when the set changes, and also while the sources leave the endpoint out", () => {
  const { holds, names } = open();
  holds.hold(a, "drained");
  holds.update([a, b]);
  holds.update([b]);
  holds.update([b, a]);
  expect(names()).toEqual(["10.0.0.2:2379 up"]);
  expect(holds.release(a)).toBe(true);
  expect(holds.release(a)).toBe(false);
  expect(names()).toEqual(["10.0.0.2:2379 up", "10.0.0.1:2379 up"]);
});

test("an endpoint is found with the dot of its host or without, also while it is held", () => {
  const { holds } = open();
  const named: Endpoint = { host: "m1.example.com.", port: 2379, priority: 0, weight: 0 };
  holds.update([a, named]);
  expect(holds.find("m1.example.com:2379")).toBe(named);
  holds.hold(named, "drained");
  holds.update([a]);
  expect(holds.find("m1.example.com.:2379")).toBe(named);
  expect(holds.find("10.0.0.9:2379")).toBeUndefined();
});

test("what is remembered for the next run includes endpoints that are held", () => {
  const { pool, holds } = open();
  holds.hold(a, "down");
  const states = holds.withHeld(pool.inspect()).map(one => `${formatAddress(one.endpoint)} ${one.state}`);
  expect(states).toEqual(["10.0.0.2:2379 up", "10.0.0.1:2379 up"]);
  holds.update([b]);
  expect(holds.withHeld(pool.inspect())).toHaveLength(1);
});
