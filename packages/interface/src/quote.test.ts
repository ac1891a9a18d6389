import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable, quote, withoutCredentials } from "./quote.js";

describe("quote", () => {
  const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

  test("escapes control characters, line breaks and changes of direction", () => {
    const character = fc.oneof(
      fc.constantFrom(
        "\n",
        "\r",
        "\t",
        "\u0000",
        "\u001b",
        "\u007f",
        "\u0085",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u200f",
      ),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(character, { maxLength: 150 }), characters => {
        expect(quote(characters.join(""))).not.toMatch(unsafe);
      }),
      { seed: 4, numRuns: 2_000 },
    );
    for (let code = 0; code <= 0xffff; code++)
      expect(unsafe.test(quote(String.fromCharCode(code)))).toBe(false);
  });

  test("keeps values of up to 100 characters unchanged", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 50 }), value => {
        expect(JSON.parse(quote(value))).toBe(value);
      }),
      { seed: 5, numRuns: 1_000 },
    );
  });

  test("truncates to 100 characters", () => {
    expect(quote("x".repeat(100))).toBe(`"${"x".repeat(100)}"`);
    expect(quote("x".repeat(101))).toBe(`"${"x".repeat(100)}…"`);
  });

  test("shows no user and no password of a URL", () => {
    expect(quote("https://root:secret@10.0.0.1:2379")).toBe('"https://…@10.0.0.1:2379"');
    expect(quote("https://token@h")).toBe('"https://…@h"');
    expect(quote("http://a:1,https://u:p/w?@#s@h:2,http://b")).toBe('"http://…@h:2,http://b"');
    expect(quote("http://h/path, user@example.com".slice(0, 13))).toBe('"http://h/path"');
    expect(quote("user@example.com")).toBe('"user@example.com"');
  });

  test("shows no part of a password, whatever its characters", () => {
    const secret = fc
      .string({ unit: fc.constantFrom(...'aZ09:/?#@,. %"\\\n'), minLength: 1, maxLength: 30 })
      .map(text => `SECRET${text}SECRET`);
    fc.assert(
      fc.property(secret, fc.constantFrom("http://", "https://", "//", "x,https://"), (password, before) => {
        expect(quote(`${before}user:${password}@host:1`)).not.toContain("SECRET");
      }),
      { seed: 6, numRuns: 1_000 },
    );
  });
});

describe("printable", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.string({
      unit: fc.constantFrom(...'\u001b[31m\u0007\u009b\u200b\u202e\u2028\ud800\udfffé日\ufeff\\"\n'),
    }),
  );

  test("keeps visible characters of any script", () => {
    for (const text of ["", "plain 'text' \"\\", "Škoda, 日本語, ¿qué?", "👍"])
      expect(printable(text)).toBe(text);
  });

  test.each([
    ["\u001b[2J\u0007", "\\u001b[2J\\u0007"],
    ["\u007f\u009b31m", "\\u007f\\u009b31m"],
    ["a\r\nb\u2028c", "a\\u000d\\u000ab\\u2028c"],
    ["\u202egnp.exe", "\\u202egnp.exe"],
    ["\ud800 alone", "\\ud800 alone"],
    ["zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"],
    ["\u{e0041}", "\\udb40\\udc41"],
  ])("escapes %j", (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test("escapes characters that a terminal interprets or hides, and keeps JSON equal", () => {
    fc.assert(
      fc.property(hostile, text => {
        expect(printable(text)).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);
        expect(JSON.parse(printable(JSON.stringify({ [text]: text })))).toEqual({ [text]: text });
      }),
      { seed: 7, numRuns: 2_000 },
    );
  });
});

test.each([
  ["http://root:a@b@h", "http://…@h"],
  ["root:secret@h:1", "…@h:1"],
  ["argument 'root:se cret@h' is invalid", "argument '…@h' is invalid"],
  ["look up x: veth0@if3 is gone", "look up x: veth0@if3 is gone"],
  ["[fe80::1%veth0@if3]:2379", "[fe80::1%veth0@if3]:2379"],
  ["root@h", "root@h"],
])("a user and password are left out: %s", (text, shown) => {
  expect(withoutCredentials(text)).toBe(shown);
});
