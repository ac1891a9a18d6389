import { execFileSync } from "node:child_process";
import { isPublished, type Options, readOptions, usage } from "./options.js";
import { markdownReport } from "./report/markdown.js";
import { publish, readPublished } from "./report/write.js";
import { isMet, type Results, type RunResult } from "./results.js";
import { scenarios } from "./scenarios.js";
import { simulate } from "./simulate.js";

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `fleet: ${error.message}` : error);
  process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (!options) return console.log(usage);
  if (options.readme) return publish(readPublished());
  const results = await simulateAll(options);
  console.log(markdownReport(results));
  if (isPublished(options)) publish(results);
  for (const { scenario, setUp, targets } of results.runs)
    for (const target of targets.filter(one => !isMet(one))) {
      console.error(`missed: ${scenario} (${setUp}): ${target.what}: ${target.value} > ${target.limit}`);
      process.exitCode = 1;
    }
}

async function simulateAll({ gateways, seed, scenario: names }: Options): Promise<Results> {
  const runs: RunResult[] = [];
  for (const scenario of scenarios.filter(({ name }) => names?.includes(name) ?? true))
    for (const setUp of scenario.setUps) {
      const startedAt = performance.now();
      const run = await simulate(scenario, setUp, { gateways, seed });
      runs.push(run);
      const values = run.targets.map(({ what, value, limit }) => `${what} ${value} (≤ ${limit})`);
      const took = `${Math.round((performance.now() - startedAt) / 1_000)} s`;
      console.error(`${scenario.name}, ${setUp.name}: ${[...values, took].join(", ")}`);
    }
  return { gateways, seed, commit: commit(), runs };
}

/** The commit of the work tree, with "-dirty" where it differs. */
function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "-dirty"}`;
  } catch {
    return "unknown";
  }
}
