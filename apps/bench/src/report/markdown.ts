import { markdownTable, number } from "@gw/report";
import type { Results } from "../results.js";
import { ratio, reference, times } from "./format.js";
import { headlinesOf } from "./headlines.js";
import { circumstances, detailTables } from "./text.js";

/** For the README of the project: the figures that matter, for the programs that people choose between. */
export function shortReport(results: Results): string {
  const peers = ["haproxy", "haproxy-3.0", "nginx", "nginx-1.26", "pipe"];
  const shown = ["gw-native", "gw-js", "gw-default", reference, ...peers];
  return [summary(results, shown), ...smallPrint(results, circumstances(results).slice(0, 3))].join("\n\n");
}

/** For the benchmark's own README: the same for all subjects, how each measure works, and every figure. */
export function fullReport(results: Results): string {
  const setUps = results.subjects.filter(({ setUp }) => setUp);
  return [
    summary(
      results,
      results.subjects.map(({ name }) => name),
    ),
    ...smallPrint(results, circumstances(results)),
    "### Measures",
    results.measures.map(({ title, name, how }) => `- **${title}** (\`--only ${name}\`): ${how}`).join("\n"),
    "### Subjects",
    setUps.map(({ title, name, setUp }) => `- **${title}** (\`--subjects ${name}\`): ${setUp}.`).join("\n"),
    "### All figures",
    "Median (least–most of the rounds), and its ratio to `etcd gateway`, or to the subject that the heading of the table names.",
    ...detailTables(results).map(table => `**${table.title}**\n\n${markdownTable(table.rows)}`),
  ].join("\n\n");
}

/** Medians, with their ratio to the reference in brackets. */
function summary(results: Results, names: readonly string[]): string {
  const subjects = results.subjects.filter(({ name }) => names.includes(name));
  const lines = headlinesOf(results).map(({ title, figure, row }) => [
    `${title}${figure.unit && `, ${figure.unit}`}`,
    ...subjects.map(({ name }) => {
      const one = row(name);
      if (one?.median === undefined) return one ? "failed" : "";
      const comparison = name === reference ? "" : times(ratio(results, one));
      return `${number(one.median)}${comparison && ` (${comparison})`}`;
    }),
  ]);
  return markdownTable([["", ...subjects.map(({ title }) => title)], ...lines]);
}

function smallPrint(results: Results, facts: readonly string[]): string[] {
  const compared = `Medians; in brackets the ratio to \`etcd gateway\`.`;
  const quick = results.settings.quick ? ["**A smoke run: these are no figures to quote.**"] : [];
  return [...quick, `${compared} ${facts.join(". ")}.`];
}
