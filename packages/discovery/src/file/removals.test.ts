import { readFileSync } from "node:fs";
import { type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { manualClock } from "@gw/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseContent } from "./content.js";
import { createRemovals } from "./watch-file.js";

/** Texts that caused errors once, or could. */
const corpus: readonly string[] = JSON.parse(
  readFileSync(new URL("../../test/endpoint-files.json", import.meta.url), "utf8"),
);

const limits = { numRuns: 300, interruptAfterTimeLimit: 5_000 };

function parse(text: string): readonly Endpoint[] | undefined {
  try {
    return parseContent(text, "file");
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    expect((error as Error).message).toMatch(/^\[invalid-endpoint\] file:\d+:\d+: [^\n\p{Cc}]+$/u);
    return undefined;
  }
}

test.each(corpus)("%j, and each part of it from its beginning, is a list or is refused in one line", text => {
  for (let length = 0; length <= text.length; length++) parse(text.slice(0, length));
});

test("a mangled file is a list or is rejected in one line", () => {
  const mangled = fc
    .tuple(fc.constantFrom(...corpus), fc.constantFrom(...corpus), fc.nat(60), fc.nat(60))
    .map(([one, other, at, from]) => one.slice(0, at) + other.slice(from));
  fc.assert(
    fc.property(mangled, text => void parse(text)),
    limits,
  );
});

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}:[1-9][0-9]{0,3}$/), {
  minLength: 1,
  maxLength: 8,
});
const formats = [
  (list: readonly string[]) => list.map(name => `- ${name}\n`).join(""),
  (list: readonly string[]) => JSON.stringify(list),
  (list: readonly string[]) =>
    `endpoints:\n${list.map(name => `- endpoint: ${name}\n  weight: 1\n`).join("")}`,
] as const;

describe("while a file is written in pieces", () => {
  test("no endpoint is removed that is in the file before and after", () => {
    const rewriting = fc.tuple(
      names,
      names,
      fc.constantFrom(...formats),
      fc.array(fc.nat(200), { maxLength: 6 }),
    );
    fc.assert(
      fc.property(rewriting, ([before, added, format, cuts]) => {
        const removals = createRemovals(2_000, manualClock(), () => {});
        const settle = (text: string): readonly string[] | undefined => {
          const endpoints = parse(text);
          return endpoints && removals.settled({ bytes: Buffer.from(text), endpoints }).map(formatAddress);
        };
        expect(settle(format(before))).toEqual(before);
        const after = [...new Set([...before, ...added])];
        const text = format(after);
        for (const cut of cuts)
          expect(settle(text.slice(0, cut)) ?? before).toEqual(expect.arrayContaining(before));
        const last = settle(text) ?? [];
        expect(last).toEqual(expect.arrayContaining(after));
        removals.close();
      }),
      limits,
    );
  });

  test("an endpoint that is missing for long enough is removed", async () => {
    const clock = manualClock();
    let due = 0;
    const removals = createRemovals(2_000, clock, () => {
      due += 1;
    });
    const settle = (text: string): string =>
      removals
        .settled({ bytes: Buffer.from(text), endpoints: parseContent(text, "file") })
        .map(formatAddress)
        .join(" ");
    settle("- a:1\n- b:1\n");
    expect(settle("- a:1\n")).toBe("a:1 b:1");
    await clock.advance(1_999);
    expect(settle("- a:1\n")).toBe("a:1 b:1");
    await clock.advance(1);
    expect(due).toBe(1);
    expect(settle("- a:1\n")).toBe("a:1");
    expect(clock.pending).toBe(0);
  });
});
