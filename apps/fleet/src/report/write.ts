import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { betweenMarkers } from "@gw/report";
import type { Results } from "../results.js";
import { markdownReport } from "./markdown.js";
import { scenarioChart } from "./scenario-chart.js";

const inApp = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const chart = "![Shares, reconnects, requests and DNS queries over time](results/scenarios.svg)";

/** The page with the figures. */
export const readme = inApp("README.md");
/** The results that the page has. */
export const resultsFile = inApp("results/latest.json");

/** Reads them. */
export function readPublished(): Results {
  return JSON.parse(readFileSync(resultsFile, "utf8")) as Results;
}

/** Writes `results/latest.json`, the chart, and the tables of the README. */
export function publish(results: Results): void {
  mkdirSync(inApp("results"), { recursive: true });
  writeFileSync(resultsFile, json(results));
  writeFileSync(inApp("results/scenarios.svg"), scenarioChart(results));
  writeFileSync(readme, withReport(readFileSync(readme, "utf8"), results));
}

/** The README with the tables of `results`. */
export function withReport(text: string, results: Results): string {
  return betweenMarkers(text, "fleet", `${chart}\n\n${markdownReport(results)}`);
}

/** JSON with one line per run, so that diffs are readable. */
function json({ runs, ...rest }: Results): string {
  const head = JSON.stringify(rest, undefined, 2).slice(0, -2);
  return `${head},\n  "runs": [\n${runs.map(run => `    ${JSON.stringify(run)}`).join(",\n")}\n  ]\n}\n`;
}
