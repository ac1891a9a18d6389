import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { betweenMarkers } from "@gw/report";
import { describe, expect, test } from "vitest";
import { marker, publishedFolder, readmes, readResults } from "../src/report/write.js";

describe.skipIf(!existsSync(join(publishedFolder, "latest.json")))("the READMEs", () => {
  test.each(readmes)("quote the committed results: $file", ({ file, report }) => {
    const text = readFileSync(file, "utf8");
    expect(text).toBe(betweenMarkers(text, marker, report(readResults(publishedFolder))));
  });

  test("quote a complete run", () => {
    expect(readResults(publishedFolder).settings).toMatchObject({ quick: false });
  });
});
