import { GatewayError } from "@gw/interface";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.js";

function refusal(text: string): string {
  try {
    return `accepted as ${parseDuration(text)} ms`;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "invalid-option") throw error;
    return error.detail;
  }
}

const longestMs = 2 ** 31 - 1;

describe("parseDuration", () => {
  test.each([
    ["1ms", 1],
    ["500ms", 500],
    ["5s", 5_000],
    ["+5s", 5_000],
    ["1m0s", 60_000],
    ["1m30s", 90_000],
    ["1h", 3_600_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1_000],
    ["0.1s", 100],
    ["1h15m30.918s", 4_530_918],
    ["1s1h", 3_601_000],
    ["1s1s", 2_000],
    ["0h1s", 1_000],
    ["007s", 7_000],
    ["5000us", 5],
    ["5000µs", 5],
    ["5000μs", 5],
    ["2000000ns", 2],
    ["1.1s", 1_100],
    ["1.0004s", 1_000],
    ["1.0006s", 1_001],
    ["0.5ms", 1],
    ["596h", 2_145_600_000],
    ["2147483647ms", longestMs],
  ])("reads %s as Go does", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    " ",
    "5",
    "1.5",
    "s",
    ".s",
    ".",
    "-",
    "+",
    "-s",
    "5 s",
    " 5s",
    "5s ",
    "5S",
    "5sec",
    "1d",
    "1w",
    "1e3s",
    "0x5s",
    "1,5s",
    "1..5s",
    "1.5.5s",
    "--5s",
    "5s-3s",
    "5s+3s",
    "5s3",
    "5m:3s",
    "NaN",
    "Infinity",
    "∞s",
    "٣s",
    "00",
    "0.0",
    "5s\n",
    "5\u00b5",
    "constructor",
    "5constructor",
    "1h\u0000",
  ])("refuses %j, which is no duration in Go either", text => {
    expect(refusal(text)).toBe(`${JSON.stringify(text)} is not a duration such as 500ms, 5s or 1m30s`);
  });

  test.each(["0", "+0", "-0", "0s", "0.0h", "0h0m0s", "-5s", "-1ns", "-600h", "-0s"])(
    "refuses %s, which is not more than zero",
    text => {
      expect(refusal(text)).toBe(`"${text}" is not more than zero`);
    },
  );

  test.each(["1ns", "1us", "0.4ms", "499µs", "597h", "2147483648ms", "1000000h", `${"9".repeat(400)}h`])(
    "refuses %s, which no timer can wait for",
    text => {
      expect(refusal(text)).toMatch(/^".*" is not between 1ms and 596h$/);
    },
  );

  /** Durations at the limits, and what other parsers take for one. */
  const corpus = [
    "596h31m23.647s",
    "596h31m23.648s",
    "0.0000001ns",
    "1e3s",
    "1_000s",
    "1d",
    "∞",
    "NaNs",
    "--1s",
    "1s\n",
    ".s",
    "1..5s",
    "١s",
    `${"9".repeat(400)}h`,
  ];

  test("reads any text to whole milliseconds that a timer can wait for, or refuses it in one line", () => {
    const pieces = fc.constantFrom(
      "1",
      "0",
      "59",
      ".",
      "h",
      "m",
      "s",
      "ms",
      "us",
      "µs",
      "ns",
      "-",
      "+",
      " ",
      "\n",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map(parts => parts.join("")),
    );
    fc.assert(
      fc.property(text, input => {
        const detail = refusal(input);
        const [, ms] = /^accepted as (\d+) ms$/.exec(detail) ?? [];
        if (ms === undefined) expect(detail).toMatch(/^".*" is not [^\p{Cc}]+$/u);
        else expect(Number(ms)).toSatisfy((one: number) => one >= 1 && one <= longestMs);
      }),
      { seed: 1, numRuns: 5_000, examples: corpus.map(input => [input] as [string]) },
    );
  });

  test("refuses a long number without a unit as fast as a short one", () => {
    expect(refusal("9".repeat(1_000_000))).toMatch(/is not a duration/);
  });
});

describe("formatDuration", () => {
  test.each([
    [0, "0ms"],
    [1, "1ms"],
    [500, "500ms"],
    [999.4, "999ms"],
    [999.6, "1s"],
    [1_000, "1s"],
    [1_500, "1.5s"],
    [59_999, "1m"],
    [60_000, "1m"],
    [90_000, "1m30s"],
    [60_100, "1m0.1s"],
    [3_600_000, "1h"],
    [3_605_000, "1h5s"],
    [4_530_900, "1h15m30.9s"],
  ])("writes %d ms as people do", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("writes what parseDuration reads: exactly below a second, to a tenth of a second above", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: longestMs })),
        ms => {
          const read = parseDuration(formatDuration(ms));
          if (ms < 1_000) expect(read).toBe(ms);
          else expect(Math.abs(read - ms)).toBeLessThanOrEqual(50);
          expect(parseDuration(formatDuration(read))).toBe(read);
        },
      ),
      { seed: 2, numRuns: 5_000 },
    );
  });
});
