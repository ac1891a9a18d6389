import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { betweenMarkers } from "../src/report/markdown.js";
import { publishedFolder, readmes, readResults } from "../src/report/write.js";

describe.skipIf(!existsSync(join(publishedFolder, "latest.json")))("the READMEs", () => {
  test.each(readmes)("quote the committed results: $file", ({ file, report }) => {
    const text = readFileSync(file, "utf8");
    expect(text).toBe(betweenMarkers(text, report(readResults(publishedFolder))));
  });

  test("quote a complete run", () => {
    expect(readResults(publishedFolder).settings).toMatchObject({ quick: false });
  });
});

test("the generated part replaces what is between the markers, and a text without markers stays", () => {
  expect(betweenMarkers("a\n<!-- bench:start -->\nold\n<!-- bench:end -->\nb\n", "new")).toBe(
    "a\n<!-- bench:start -->\n\nnew\n\n<!-- bench:end -->\nb\n",
  );
  expect(betweenMarkers("a\n", "new")).toBe("a\n");
});
