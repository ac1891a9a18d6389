import { type Endpoint, GatewayError, type Verdict } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { bad, endpoint, good } from "../test/checking.js";
import { rising } from "./rise.js";

/** A probe that finds these one after the other, then nothing wrong. */
function finding(...verdicts: Verdict[]): { probe: (of: Endpoint) => Promise<Verdict>; looks(): number } {
  let looks = 0;
  return { probe: async () => verdicts[looks++] ?? good, looks: () => looks };
}

test("one good look is enough", async () => {
  const { probe, looks } = finding();
  await rising(probe)(endpoint(1), new AbortController().signal);
  expect(looks()).toBe(1);
});

test("as many good looks in a row as are demanded", async () => {
  const clock = manualClock();
  const { probe, looks } = finding();
  const passing = rising(probe, { rise: 3, clock })(endpoint(1), new AbortController().signal);
  await clock.advance(1_999);
  expect(looks()).toBe(2);
  await clock.advance(1);
  await passing;
  expect([looks(), clock.pending]).toEqual([3, 0]);
});

test("a bad one rejects with its error", async () => {
  const clock = manualClock();
  const passing = rising(finding(good, bad).probe, { rise: 3, clock })(
    endpoint(1),
    new AbortController().signal,
  );
  const rejected = expect(passing).rejects.toBe(bad.error);
  await clock.advance(1_000);
  await rejected;
});

test("it can be given up between two looks", async () => {
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
