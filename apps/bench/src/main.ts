import { loadavg } from "node:os";
import { compileLoad } from "./load.js";
import { commit, descriptorLimit, thisMachine } from "./machine.js";
import { measures } from "./measures/index.js";
import { type Options, readOptions, usage } from "./options.js";
import { circumstances, detailTables, plainText } from "./report/text.js";
import { publishedFolder, readResults, writeReadmes, writeResults } from "./report/write.js";
import type { Results } from "./results.js";
import { runRounds } from "./rounds.js";
import { select } from "./selection.js";
import { subjects } from "./subjects/index.js";

// Programs are ended and temporary folders removed on exit: see startProgram.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

// Programs of Node are started as on most machines: certificates that it reads at each start take tens of milliseconds.
for (const variable of ["NODE_EXTRA_CA_CERTS", "NODE_OPTIONS"]) delete process.env[variable];

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `bench: ${error.message}` : error);
  process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (!options) return console.log(usage);
  if (options.readme) return publish(readResults(publishedFolder));
  const results = await measure(options);
  for (const table of detailTables(results)) console.log(plainText(table));
  console.log(circumstances(results).join("\n"));
  const complete = !options.only && !options.subjects && !options.rows && !options.quick;
  if (options.output) writeResults(options.output, results);
  else if (complete) publish(results);
}

/** Writes the results that the pages quote. Only complete runs are published. */
function publish(results: Results): void {
  writeResults(publishedFolder, results);
  writeReadmes(results);
}

async function measure({ rounds, seconds, quick, ...options }: Options): Promise<Results> {
  const print = (line: string): void => console.error(`[${Math.round(performance.now() / 1000)} s] ${line}`);
  const [loadBefore = 0] = loadavg();
  const circumstances = {
    machine: thisMachine(),
    commit: await commit(),
    settings: { rounds, seconds, quick, descriptorLimit: descriptorLimit(), loadBefore },
  };
  const load = await compileLoad();
  const chosen = await select({ measures, subjects }, options, load);
  for (const { name, why } of chosen.leftOut) print(`left out: ${name}: ${why}`);
  const rows = await runRounds({ ...options, ...chosen, load, rounds, print });
  return {
    date: new Date().toISOString(),
    ...circumstances,
    subjects: chosen.entries,
    measures: chosen.measures.map(
      ({ name, title, how, figures, linePerCase, references, maxRounds = rounds }) => {
        const reference = references?.find(one => chosen.subjects.some(subject => subject.name === one));
        return {
          name,
          title,
          how,
          rounds: Math.min(rounds, maxRounds),
          figures,
          ...(reference && { reference }),
          ...(linePerCase && { linePerCase }),
        };
      },
    ),
    leftOut: chosen.leftOut,
    rows,
  };
}
