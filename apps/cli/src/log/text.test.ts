import { expect, onTestFinished, test, vi } from "vitest";
import { createLog, textLines } from "./lines.js";
import { wantsColours } from "./text.js";

function lineOf(fields: object, colours = false): string {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-29T10:00:00.123Z") });
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  createLog("info", line => lines.push(line), textLines(colours)).write("warn", fields, "endpoint down");
  return lines.join("\n");
}

test("a line has no JSON in it", () => {
  expect(lineOf({ endpoint: "10.0.1.10:2379", reason: "connection refused", retryIn: "5s" })).toBe(
    '2026-11-29T10:00:00.123Z WARN  endpoint down endpoint=10.0.1.10:2379 reason="connection refused" retryIn=5s',
  );
});

test.each<[string, unknown, string]>([
  ["a number", 1.5, "1.5"],
  ["false", false, "false"],
  ["an address of IPv6", "[::1]:2379", "[::1]:2379"],
  ["a list", ["a:1", "b:2"], "a:1,b:2"],
  ["a list of phrases", ["a:1 weight 1", "b:2"], '"a:1 weight 1",b:2'],
  ["a list of one item with a comma", ["a,b"], '"a,b"'],
  ["an empty list", [], "-"],
  ["null", null, "-"],
  ["a dash", "-", '"-"'],
  ["an empty text", "", '""'],
  ["quotes", 'the "name"', '"the \\"name\\""'],
  ["an equals sign", "a=b", '"a=b"'],
  ["a backslash", "a\\b", '"a\\\\b"'],
  ["lines", "one\ntwo", '"one\\ntwo"'],
  ["what a terminal obeys", "\u001b[2J\u009b\u202e", '"\\u001b[2J\\u009b\\u202e"'],
  ["letters of other languages", "größe", '"größe"'],
  ["an object", { a: [1] }, '"{\\"a\\":[1]}"'],
])("%s is written so that it can be told from the rest", (_, value, written) => {
  expect(lineOf({ value, last: 1 })).toMatch(/ last=1$/);
  expect(lineOf({ value, last: 1 }).slice("2026-11-29T10:00:00.123Z WARN  endpoint down ".length)).toBe(
    `value=${written} last=1`,
  );
});

test("a field without a value is left out", () => {
  expect(lineOf({ none: undefined })).toMatch(/endpoint down$/);
});

test("colours show the level, and nothing else is changed", () => {
  const colours = lineOf({ endpoint: "a:1" }, true);
  expect(colours).toContain("\u001b[33mWARN \u001b[39m endpoint down");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such
  expect(colours.replace(/\u001b\[\d+m/g, "")).toBe(lineOf({ endpoint: "a:1" }));
});

test.each<[boolean, NodeJS.ProcessEnv]>([
  [true, {}],
  [true, { NO_COLOR: "", TERM: "xterm" }],
  [false, { NO_COLOR: "1" }],
  [false, { TERM: "dumb" }],
])("colours are wanted: %s with %j", (wanted, env) => expect(wantsColours(env)).toBe(wanted));
