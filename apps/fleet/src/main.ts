import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { createLimiter } from "@gw/interface";
import { isPublished, type Options, readOptions, usage } from "./options.js";
import { markdownReport } from "./report/markdown.js";
import { publish, readPublished } from "./report/write.js";
import { isMet, type Results, type RunResult } from "./results.js";
import { scenarios } from "./scenarios.js";
import type { Work } from "./worker.js";

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

/** Simulates on as many threads as there are cores; each scenario has a clock of its own. */
async function simulateAll({ gateways, seed, scenario: names }: Options): Promise<Results> {
  const works = scenarios
    .filter(({ name }) => names?.includes(name) ?? true)
    .flatMap(({ name, setUps }) =>
      setUps.map((setUp): Work => ({ scenario: name, setUp: setUp.name, gateways, seed })),
    );
  const limited = createLimiter({ limit: availableParallelism() });
  const runs = await Promise.all(works.map(work => limited(() => simulateOnThread(work))));
  return { gateways, seed, commit: commit(), runs };
}

async function simulateOnThread(work: Work): Promise<RunResult> {
  const startedAt = performance.now();
  const worker = new Worker(new URL("../worker.mjs", import.meta.url), {
    workerData: work,
    resourceLimits: { maxYoungGenerationSizeMb: 64, maxOldGenerationSizeMb: 8_192 },
  });
  const [run] = (await once(worker, "message")) as [RunResult];
  await worker.terminate();
  const values = run.targets.map(({ what, value, limit }) => `${what} ${value} (≤ ${limit})`);
  const took = `${Math.round((performance.now() - startedAt) / 1_000)} s`;
  console.error(`${run.scenario}, ${run.setUp}: ${[...values, took].join(", ")}`);
  return run;
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
