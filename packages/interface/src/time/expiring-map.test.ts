import { expect, test } from "vitest";
import type { Clock } from "./clock.js";
import { createExpiringMap } from "./expiring-map.js";

test("an entry is created when it is used, and deleted when it was idle and another one is used", () => {
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, after: () => () => {} };
  const deleted: string[] = [];
  const map = createExpiringMap(clock, name => ({ name }), {
    idleMs: 100,
    onDelete: ({ name }) => deleted.push(name),
  });
  const [a] = [map.get("a"), map.get("b")];
  nowMs = 80;
  expect(map.get("a")).toBe(a);
  nowMs = 120;
  map.get("c");
  expect(deleted).toEqual(["b"]);
  map.delete("a");
  map.delete("a");
  map.clear();
  expect(deleted).toEqual(["b", "a", "c"]);
});
