import { expect, test } from "vitest";
import type { Fault } from "../../test/faults.js";
import { relay } from "../../test/relays.js";
import { relayStress } from "./stress.js";

const stress = { seed: 1, connections: 100, seconds: 3 };

test("the reference relay keeps the contract under stress", async () => {
  await relayStress(() => relay(), stress).run();
});

const caught: { readonly [fault in Fault]?: RegExp } = {
  "takes resets for ends": /saw an end, of \d+ bytes before a reset|which the plan does not allow/,
  "ends twice": /exactly once/,
  miscounts: /bytes that were read|after \d+ of \d+ bytes/,
};
test.each(Object.entries(caught))("catches a relay that %s", async (fault, message) => {
  // It stops at the first failure.
  const { run } = relayStress(() => relay(fault as Fault), { ...stress, seconds: 30 });
  await expect(run()).rejects.toThrow(message);
});

test("catches a relay that never ends", async () => {
  const { run } = relayStress(() => relay("never ends"), { ...stress, limitMs: 1_000 });
  await expect(run()).rejects.toThrow(/ended\(\) is missing/);
});

test("names the seed that it has drawn", () => {
  expect(relayStress(() => relay()).name).toMatch(/\(seed \d+\)$/);
  expect(relayStress(() => relay(), { seed: 7 }).name).toMatch(/\(seed 7\)$/);
});
