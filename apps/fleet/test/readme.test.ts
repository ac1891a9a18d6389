import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readme, readPublished, resultsFile, withReport } from "../src/report/write.js";
import { isMet } from "../src/results.js";
import { scenarios } from "../src/scenarios.js";

describe.skipIf(!existsSync(resultsFile))("the README", () => {
  test("quotes the committed results", () => {
    const text = readFileSync(readme, "utf8");
    expect(text).toBe(withReport(text, readPublished()));
  });

  test("quotes a complete run with ten thousand gateways that met all targets", () => {
    const { gateways, runs } = readPublished();
    expect(gateways).toBe(10_000);
    expect(runs.map(({ scenario, setUp }) => `${scenario} ${setUp}`)).toEqual(
      scenarios.flatMap(({ name, setUps }) => setUps.map(setUp => `${name} ${setUp.name}`)),
    );
    expect(runs.flatMap(({ targets }) => targets.filter(target => !isMet(target)))).toEqual([]);
  });
});
