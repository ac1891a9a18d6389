// Names, certificates, answers and errors come from the network. Each stays one short line without control characters.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLog } from "../log/lines.js";
import { lineFormat } from "../log/log.js";
import { jsonOf, textOf } from "./stdio.js";
import { table } from "./table.js";

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom(
      ...'\u001b[31;m\u0007\u009b\u0085\u2028\u2029\u202e\u2066\u200b\ud83d\udc4dé日ä\u0308 a\\"{}\r\n',
    ),
  }),
  fc.constantFrom(
    "\u001b]0;title\u0007",
    "\u001b[2J",
    "x".repeat(5_000),
    "\ud83d".repeat(2_000),
    "__proto__",
  ),
);

/** What a terminal obeys, or hides. */
const active = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

async function logged(
  format: "json" | "text",
  fields: object,
  message: string,
  colours = false,
): Promise<string> {
  const written: string[] = [];
  createLog("info", line => written.push(`${line}\n`), lineFormat(format, colours)).write(
    "info",
    fields,
    message,
  );
  return written.join("");
}

describe("a log line", () => {
  test("as JSON is one line of plain characters, and the same JSON", async () => {
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (value, message) => {
        const line = await logged("json", { reason: value, names: [value, { deep: value }] }, message);
        expect(line.endsWith("\n")).toBe(true);
        expect(line.slice(0, -1)).not.toMatch(active);
        expect(line.length).toBeLessThan(40_000);
        const { reason, names, msg } = JSON.parse(line);
        expect([reason, names[0], names[1].deep, msg]).toEqual([
          short(value),
          short(value),
          short(value),
          short(message),
        ]);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("as text is one line of plain characters", async () => {
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (value, message) => {
        const line = await logged("text", { reason: value, [value || "empty"]: [value] }, message);
        expect(line.endsWith("\n")).toBe(true);
        expect(line.slice(0, -1)).not.toMatch(active);
        expect(line.length).toBeLessThan(40_000);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test("in colour has no control sequence but those of colours", async () => {
    const line = await logged(
      "text",
      { reason: "\u001b[31mred\u009b2J" },
      "\u001b]0;title\u0007 \u001b[1mbold",
      true,
    );
    expect(line).toContain("\\u001b[31mred");
    expect(line).toContain("\\u001b]0;title\\u0007 \\u001b[1mbold");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
    expect(line.slice(0, -1).replace(/\u001b\[(?:3[1-9]|39|90)m/g, "")).not.toMatch(active);
  });

  test("with an endless list is cut, and has the number of missing entries", async () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `infra${index}.example.com:2379`);
    const { endpoints } = JSON.parse(await logged("json", { endpoints: names }, "ready"));
    expect(endpoints.at(-1)).toBe(`… ${names.length - (endpoints.length - 1)} more`);
    expect(endpoints.length).toBeGreaterThan(1_000);
  });

  test("keeps what is short as it is", async () => {
    const fields = { n: 1, yes: true, none: null, list: ["a", 2], nested: { a: { b: "c" } } };
    expect(JSON.parse(await logged("json", fields, "hello"))).toMatchObject({ ...fields, msg: "hello" });
  });
});

function short(text: string): string {
  if (text.length <= 1_000) return text;
  return `${text.slice(0, /[\ud800-\udbff]/.test(text.charAt(999)) ? 999 : 1_000)}…`;
}

describe("what is printed", () => {
  test("as lines or JSON has plain characters only", () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 4 }), values => {
        expect(textOf(values).split("\n")).toHaveLength(values.length + 1);
        for (const line of textOf(values).split("\n")) expect(line).not.toMatch(active);
        expect(jsonOf(values).slice(0, -1)).not.toMatch(active);
        expect(JSON.parse(jsonOf(values))).toHaveLength(values.length);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test("as a table has columns that begin where their titles do", () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), values => {
        const rows = table(
          ["A", "B"],
          values.map(value => [value, "|"]),
        );
        for (const row of rows) expect(row).not.toMatch(active);
        expect(new Set(rows.slice(1).map(columnOfLast)).size).toBe(1);
      }),
      { seed: 4, numRuns: 500 },
    );
    expect(
      table(
        ["NAME", "N"],
        [
          ["日本", "1"],
          ["a\u0308", "2"],
          ["\u001b[1m", "3"],
        ],
      ),
    ).toEqual(["NAME       N", "日本       1", "a\u0308          2", "\\u001b[1m  3"]);
  });
});

/** The column of a terminal in which the last character of a row stands. */
function columnOfLast(row: string): number {
  const narrow = row.replace(/\p{M}/gu, "");
  const wide = narrow.match(
    /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/gu,
  );
  return [...narrow].length + (wide?.length ?? 0);
}
