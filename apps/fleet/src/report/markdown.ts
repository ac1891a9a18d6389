import { markdownTable, number } from "@gw/report";
import { isMet, type Rate, type Results, type RunResult } from "../results.js";
import { type Scenario, scenarios } from "../scenarios.js";

/** All figures of a run, in Markdown. */
export function markdownReport(results: Results): string {
  const { gateways, seed, commit, runs } = results;
  const isRun = ({ name }: Scenario): boolean => runs.some(({ scenario }) => scenario === name);
  return [
    `${gateways.toLocaleString("en")} gateways, five members, seed ${seed}, commit ${commit}.`,
    "### Targets",
    targets(runs),
    "### Load on the cluster and on DNS",
    "Per second: mean / 99th percentile of the seconds / peak. Reads are linearizable reads. Cores are those of the whole cluster that the checks take, by the measured costs.",
    load(runs),
    "### Clients",
    "Reconnects per second, and how long clients were not served. Moved: connections closed by gateways although nothing was wrong with their member, as a part of all, in the worst second; those of a member that is stopped, hung or cut off do not count. Unfair: the largest difference from a fair share at the end.",
    clients(runs),
    "### Scenarios",
    scenarios
      .filter(isRun)
      .map(({ name, title, what }) => `- **${title}** (\`--scenario ${name}\`): ${what}`)
      .join("\n"),
  ].join("\n\n");
}

function targets(runs: readonly RunResult[]): string {
  const rows = runs.flatMap(run =>
    run.targets.map(target => [
      titleOf(run),
      target.what,
      `≤ ${target.limit}`,
      String(target.value),
      isMet(target) ? "met" : "**missed**",
    ]),
  );
  return markdownTable([["scenario", "target", "limit", "value", ""], ...rows]);
}

function load(runs: readonly RunResult[]): string {
  const rows = runs.map(run => [
    titleOf(run),
    rate(run.requests),
    rate(run.deep),
    `${number(run.cores.mean)} / ${number(run.cores.peak)}`,
    `${number(run.coresTls.mean)} / ${number(run.coresTls.peak)}`,
    rate(run.dns),
  ]);
  const heading = ["scenario", "requests", "reads", "cores, mean / peak", "with TLS", "DNS queries"];
  return markdownTable([heading, ...rows]);
}

function clients(runs: readonly RunResult[]): string {
  const rows = runs
    .filter(({ connections }) => connections > 0)
    .map(run => [
      titleOf(run),
      `${number(run.reconnects.p99)} / ${number(run.reconnects.peak)}`,
      `${number((100 * run.moved.peak) / run.connections)} %`,
      run.outages
        ? `${seconds(run.outages.median)} / ${seconds(run.outages.p99)} / ${seconds(run.outages.longest)}`
        : "none",
      run.unserved.toLocaleString("en"),
      `${number(100 * run.unfair)} %`,
    ]);
  const heading = [
    "scenario",
    "reconnects, 99th / peak",
    "moved",
    "not served: median / 99th / longest",
    "no endpoint found",
    "unfair",
  ];
  return markdownTable([heading, ...rows]);
}

/** The scenario and the set-up of a run. */
function titleOf({ scenario, setUp }: RunResult): string {
  return `${scenarios.find(({ name }) => name === scenario)?.title ?? scenario}: ${setUp}`;
}

function rate({ mean, p99, peak }: Rate): string {
  return [mean, p99, peak].map(number).join(" / ");
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
