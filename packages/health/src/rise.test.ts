import { type Endpoint, GatewayError, type Verdict } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { bad, endpoint, good } from "../test/checking.js";
import { rising } from "./rise.js";

/** A probe that finds these one after the other, then nothing wrong. */
function finding(...verdicts: Verdict[]): { probe: (of: Endpoint) => Promise<Verdict>; checks(): number } {
  let checks = 0;
  return { probe: async () => verdicts[checks++] ?? good, checks: () => checks };
}

test("one successful check is enough", async () => {
  const { probe, checks } = finding();
  await rising(probe)(endpoint(1), new AbortController().signal);
  expect(checks()).toBe(1);
});

test("as many consecutive successful checks as are demanded", async () => {
  const clock = manualClock();
  const { probe, checks } = finding();
  const passing = rising(probe, { rise: 3, clock })(endpoint(1), new AbortController().signal);
  await clock.advance(1_999);
  expect(checks()).toBe(2);
  await clock.advance(1);
  await passing;
  expect([checks(), clock.pending]).toEqual([3, 0]);
});

test("a failed one rejects with its error", async () => {
  const clock = manualClock();
  const passing = rising(finding(good, bad).probe, { rise: 3, clock })(
    endpoint(1),
    new AbortController().signal,
  );
  const rejected = expect(passing).rejects.toBe(bad.error);
  await clock.advance(1_000);
  await rejected;
});

test("it can be aborted between two checks", async () => {
  const clock = manualClock();
  const controller = new AbortController();
  const passing = rising(finding().probe, { rise: 2, clock })(endpoint(1), controller.signal);
  const rejected = expect(passing).rejects.toMatchObject({ code: "aborted" });
  await clock.advance(0);
  controller.abort();
  await rejected;
  expect(clock.pending).toBe(0);
});

test.each([0, 1.5, Number.NaN])("a rise of %d is refused", rise => {
  expect(() => rising(finding().probe, { rise })).toThrow(GatewayError);
});
