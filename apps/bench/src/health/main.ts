import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { EtcdVersion } from "@gw/testing";
import { type Budgets, type Builds, measureBudgets } from "./budgets.js";
import { type Defragmentation, measureDefragmentation } from "./defragmentation.js";
import { faults, loads, measureFault, type Sample } from "./speeds.js";

const usage = `npm run bench:health -- [options]: what health checks cost a cluster, and how soon they help

  --only <names>    budgets, speeds, defragmentation (default all)
  --minutes <n>     for which requests are counted (default 10)
  --rounds <n>      faults of each kind (default 5)
  --faults <text>   only faults whose names contain it
  --etcd <version>  3.4 or 3.5 (default: the one on the PATH)
  --gw <path>       the gw.js of another build (default this repository's)
  --output <file>   write the figures as JSON
  --compare <file>  print the figures of an earlier run beside them

Needs Linux, root, ip, etcd and etcdctl.
`;

/** The figures of one run. */
interface Results {
  readonly circumstances: string;
  readonly budgets?: Budgets;
  readonly samples?: readonly Sample[];
  readonly defragmentations?: readonly Defragmentation[];
}

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "budgets,speeds,defragmentation" },
      minutes: { type: "string", default: "10" },
      rounds: { type: "string", default: "5" },
      faults: { type: "string", default: "" },
      etcd: { type: "string" },
      gw: { type: "string" },
      output: { type: "string" },
      compare: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(usage);
  const only = values.only.split(",");
  const version = values.etcd as EtcdVersion | undefined;
  const builds: Builds = { etcd: version, gw: values.gw };
  const results: Results = {
    circumstances: `etcd ${version ?? "of the PATH"}, Node ${process.versions.node}, ${new Date().toISOString()}, load average ${loadavg()[0]}`,
    ...(only.includes("budgets") && { budgets: await measureBudgets(Number(values.minutes), builds) }),
    ...(only.includes("speeds") && {
      samples: await measureSpeeds(Number(values.rounds), values.faults, builds),
    }),
    ...(only.includes("defragmentation") && {
      defragmentations: await measureDefragmentation(databaseMb, builds),
    }),
  };
  if (values.output) writeFileSync(values.output, `${JSON.stringify(results, undefined, 2)}\n`);
  const before = values.compare
    ? (JSON.parse(readFileSync(values.compare, "utf8"), revive) as Results)
    : undefined;
  console.log(report(results, before).join("\n"));
}

/** The size of the database that is defragmented. */
const databaseMb = 300;

/** JSON has no Infinity, which stands for "not at all". */
function revive(key: string, value: unknown): unknown {
  return value === null && key.endsWith("S") ? Infinity : value;
}

async function measureSpeeds(rounds: number, names: string, builds: Builds): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const fault of faults.filter(({ name }) => name.includes(names))) {
      console.error(
        `[${Math.round(performance.now() / 1_000)} s] round ${round} of ${rounds}: ${fault.name}`,
      );
      const ofFault = await measureFault(fault, loads, builds);
      samples.push(...ofFault);
      console.error(ofFault.map(({ load, firstS }) => `  ${load}: ${firstS.toFixed(1)} s`).join("\n"));
    }
  return samples;
}

function report(results: Results, before: Results | undefined): string[] {
  const lines = [results.circumstances];
  if (before) lines.push(`Before: ${before.circumstances}`);
  if (results.budgets) lines.push("", ...budgetLines(results.budgets, before?.budgets));
  if (results.samples) lines.push("", ...speedLines(results.samples, before?.samples));
  for (const { gateway, databaseMb: size, ...seen } of results.defragmentations ?? [])
    lines.push(`defragmentation of ${size} MB, gateway with ${gateway}: ${JSON.stringify(seen)}`);
  return lines;
}

/**
 * Requests on which the whole cluster had to agree, which cost the most. A deep check asks /readyz, and /health only where
 * that is not known, which costs nothing.
 */
function linearizableReads(requests: { readonly [request: string]: number }): number {
  const count = (path: RegExp): number =>
    total(
      requests,
      request => path.test(request) && !/serializable=true|exclude=linearizable_read/.test(request),
    );
  return Math.max(count(/^GET \/health\b/), count(/^GET \/readyz\b/));
}

function budgetLines(now: Budgets, before: Budgets | undefined): string[] {
  const cell = (budgets: Budgets | undefined, use: string, inUse: boolean): string => {
    const budget = budgets?.budgets.find(one => one.use === use);
    const members = budget?.members.filter(member => member.inUse === inUse) ?? [];
    if (!budget || members.length === 0) return "";
    const most = Math.max(...members.map(({ requests }) => total(requests)));
    const reads = members.reduce((sum, { requests }) => sum + linearizableReads(requests), 0);
    return `${(most / budget.minutes).toFixed(1)}/min, ${reads} linearizable`;
  };
  return [
    "| clients | | member in use | before | most of the others | before |",
    "|---|---|---|---|---|---|",
    ...now.budgets.map(({ use, minutes, members }) => {
      const cells = [true, false].flatMap(inUse => [cell(now, use, inUse), cell(before, use, inUse)]);
      const asked = new Set(members.flatMap(({ requests }) => Object.keys(requests)));
      return `| ${use} (${[...asked].join(", ")}) | ${minutes} min | ${cells.join(" | ")} |`;
    }),
    "",
    `Counted by the members themselves, all gateways: ${JSON.stringify(now.metrics)}`,
  ];
}

function total(requests: { readonly [request: string]: number }, counts = (_: string) => true): number {
  return Object.entries(requests).reduce((sum, [name, count]) => sum + (counts(name) ? count : 0), 0);
}

function speedLines(now: readonly Sample[], before: readonly Sample[] | undefined): string[] {
  const lines: string[] = [];
  for (const fault of faults) {
    const ofFault = now.filter(sample => sample.fault === fault.name);
    if (ofFault.length === 0) continue;
    const origin = ({ noticedS }: Sample): number => (fault.fromNoticed ? noticedS : 0);
    lines.push(`**${fault.name}**${ofFault[0]?.how ? `, by ${ofFault[0].how}` : ""}`);
    if (fault.fromNoticed)
      lines.push(`noticed by the member after ${spread(ofFault.map(({ noticedS }) => noticedS))}`);
    lines.push(
      "",
      "| client | helped after | undisturbed after | marked down after | helped before |",
      "|---|---|---|---|---|",
    );
    for (const { name } of loads) {
      const rows = ofFault.filter(({ load }) => load === name);
      const old = before?.filter(sample => sample.fault === fault.name && sample.load === name) ?? [];
      const helped = (samples: readonly Sample[]): string =>
        spread(samples.map(sample => sample.firstS - origin(sample)));
      const disturbed = rows.flatMap(row =>
        row.disturbedS === undefined ? [] : row.disturbedS - origin(row),
      );
      const down = rows.map(row => row.downS - origin(row));
      lines.push(`| ${name} | ${helped(rows)} | ${spread(disturbed)} | ${spread(down)} | ${helped(old)} |`);
    }
    lines.push("");
  }
  return lines;
}

/** The median, and the least and the most. */
function spread(values: readonly number[]): string {
  if (values.length === 0) return "";
  const sorted = values.toSorted((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const seconds = (value: number | undefined): string =>
    value === Infinity ? "never" : `${value?.toFixed(1)} s`;
  return `${seconds(median)} (${seconds(sorted[0])}–${seconds(sorted.at(-1))})`;
}

// Programs are ended and temporary folders removed on exit: see startProgram.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `bench: ${error.stack}` : error);
  process.exitCode = 1;
}
