import { expect, test } from "vitest";
import type { Clock } from "./clock.js";
import { createOutage, createReportOnce } from "./report-once.js";

test("a state is new once, and again after it has changed or was forgotten", () => {
  const reported = createReportOnce();
  expect(["down", "down", "up", "down"].map(state => reported.isNew("a", state))).toEqual([
    true,
    false,
    true,
    true,
  ]);
  reported.isNew("b", "down");
  reported.retain(["b"]);
  expect([reported.isNew("a", "down"), reported.isNew("b", "down")]).toEqual([true, false]);
});

test("an outage is reported when it begins, when its reason changes, and when it ends", () => {
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, after: () => () => {} };
  const outage = createOutage(clock);
  expect(outage.failed("no answer")).toEqual({});
  expect(outage.failed("no answer")).toBeUndefined();
  nowMs = 100;
  expect(outage.succeeded()).toEqual({ failedMs: 100 });
  expect(outage.succeeded()).toBeUndefined();
  nowMs = 150;
  expect(outage.failed("refused")).toEqual({ ageMs: 50 });
  nowMs = 200;
  expect(outage.failed("no answer")).toEqual({ ageMs: 100 });
  nowMs = 250;
  expect(outage.succeeded()).toEqual({ failedMs: 100 });
});
