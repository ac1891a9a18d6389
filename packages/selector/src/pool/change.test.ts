import { expect, test, vi } from "vitest";
import { a, b, refused, rig } from "../../test/support.js";
import type { PoolChange } from "./endpoint-pool.js";

test("reports a change of the set, of a state and of the endpoint in use, and whether all are down", async () => {
  const { pool, clock, take } = rig([a, b]);
  const changes: PoolChange[] = [];
  const stop = pool.onChange(change => changes.push(change));
  const expectChanges = (...allDown: readonly boolean[]): void =>
    expect(changes.splice(0)).toEqual(allDown.map(one => ({ allDown: one })));

  take().connected();
  take().connected();
  pool.update([b, a]);
  pool.update([a, b]);
  expectChanges();
  take().failed(refused);
  expectChanges(false);
  take().connected();
  expectChanges(false);
  take().failed(refused);
  expectChanges(true);
  pool.update([b]);
  expectChanges(true);
  pool.update([]);
  expectChanges(false);
  pool.update([a, b]);
  expectChanges(false);
  take().failed(refused);
  await clock.advance(1_000);
  expectChanges(false, false);
  stop();
  pool.update([]);
  expectChanges();
});

test("a listener sees the state after the change", () => {
  const { pool, take } = rig([a, b]);
  const seen: string[] = [];
  pool.onChange(() =>
    seen.push(
      pool
        .inspect()
        .map(({ state, inUse }) => `${state}${inUse ? "*" : ""}`)
        .join(" "),
    ),
  );
  take().connected();
  take().failed(refused);
  take(a).connected();
  pool.update([b]);
  expect(seen).toEqual(["down* up", "down up*", "up* draining"]);
});

test("a listener that throws becomes a process warning and keeps no other from being called", () => {
  const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const { pool } = rig([a]);
  let calls = 0;
  pool.onChange(() => {
    throw new Error("oops");
  });
  pool.onChange(() => calls++);
  pool.update([b]);
  expect(calls).toBe(1);
  expect(warning.mock.calls).toEqual([["gw: a listener of the pool threw: oops"]]);
  warning.mockRestore();
});
