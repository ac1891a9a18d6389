import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLog } from "./lines.js";

test("a line has its time in ISO 8601, to the millisecond", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const times: string[] = [];
  const log = createLog("info", line => times.push(JSON.parse(line).time));
  const date = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
  fc.assert(
    fc.property(date, now => {
      vi.setSystemTime(now);
      log.write("info", {}, "tick");
      expect(times.pop()).toBe(now.toISOString());
    }),
  );
});
