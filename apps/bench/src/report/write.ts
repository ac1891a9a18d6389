import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { betweenMarkers } from "@gw/report";
import type { Results } from "../results.js";
import { growthChart } from "./growth-chart.js";
import { fullReport, shortReport } from "./markdown.js";
import { ratioChart } from "./ratio-chart.js";

const inProject = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));

/** The folder of the results that the READMEs quote. */
export const publishedFolder = inProject("apps/bench/results");

/** The pages that quote them, each with the text between its markers. */
export const readmes: readonly {
  readonly file: string;
  readonly report: (results: Results) => string;
}[] = [
  { file: inProject("apps/bench/README.md"), report: fullReport },
  { file: inProject("docs/comparison.md"), report: shortReport },
];

/** The name of the markers around the generated part of a page. */
export const marker = "bench";

/** Reads what {@link writeResults} wrote. */
export function readResults(folder: string): Results {
  return JSON.parse(readFileSync(join(folder, "latest.json"), "utf8")) as Results;
}

/** Writes `latest.json` and the charts. */
export function writeResults(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "latest.json"), json(results));
  writeFileSync(join(folder, "ratios.svg"), ratioChart(results));
  writeFileSync(join(folder, "growth.svg"), growthChart(results));
}

/** Writes the tables into the READMEs that have a place for them. */
export function writeReadmes(results: Results): void {
  for (const { file, report } of readmes) {
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    const updated = betweenMarkers(text, marker, report(results));
    if (updated !== text) writeFileSync(file, updated);
  }
}

/** JSON with one line per row, so that diffs are readable. */
function json({ rows, ...rest }: Results): string {
  const head = JSON.stringify(rest, undefined, 2).slice(0, -2);
  return `${head},\n  "rows": [\n${rows.map(row => `    ${JSON.stringify(row)}`).join(",\n")}\n  ]\n}\n`;
}
