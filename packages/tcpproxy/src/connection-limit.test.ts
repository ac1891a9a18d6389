import { expect, test } from "vitest";
import { limitFor } from "./connection-limit.js";
import { connectionLimit } from "./index.js";

test.each([
  [1024, 480],
  [256, 96],
  [20_000, 9_968],
  [64, 16],
  [2, 1],
  [1, 1],
  [Infinity, Infinity],
])("with %d descriptors %d connections can be relayed", (descriptors, connections) => {
  expect(limitFor(descriptors)).toBe(connections);
});

test("descriptors of the relay are not available for connections", () => {
  expect(limitFor(1024, 60)).toBe(450);
  expect(limitFor(64, 100)).toBe(1);
});

test("the limit of this process is known where the system has one", () => {
  const limit = connectionLimit();
  expect(limit).toBeGreaterThan(0);
  if (process.platform !== "win32") expect(Number.isInteger(limit)).toBe(true);
});
