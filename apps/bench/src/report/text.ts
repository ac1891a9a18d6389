import { number, type Rows } from "@gw/report";
import type { MeasureEntry, Results } from "../results.js";
import { rowOf } from "../results.js";
import { ratio, reference, times, withSpread } from "./format.js";

/** A table with a heading row, as rows of cells. */
export interface Table {
  readonly title: string;
  readonly rows: Rows;
}

/** A table for each case of each measure: a line for each subject, a column for each figure. */
export function detailTables(results: Results): Table[] {
  return results.measures.flatMap(measure =>
    casesOf(results, measure).map(title => ({
      title: `${measure.title}: ${title}`,
      rows: [heading(measure), ...linesOf(results, measure, title)],
    })),
  );
}

/** The cases of a measure, in the order in which they were measured. */
function casesOf(results: Results, { name }: MeasureEntry): string[] {
  return [...new Set(results.rows.filter(row => row.measure === name).map(row => row.case))];
}

/** A table for a terminal. */
export function plainText({ title, rows }: Table): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${title}\n${lines.map(line => `  ${line}\n`).join("")}`;
}

function heading({ figures }: MeasureEntry): string[] {
  return ["", ...figures.map(({ title, unit }) => (unit ? `${title}, ${unit}` : title))];
}

function linesOf(results: Results, measure: MeasureEntry, title: string): string[][] {
  const concerned = [...new Set(rowsOf(results, measure, title).map(({ subject }) => subject))];
  return concerned.map(subject => {
    const cells = measure.figures.map(({ key }) => {
      const row = rowOf(results, { measure: measure.name, case: title, subject, figure: key });
      const comparison = subject === reference ? undefined : ratio(results, row);
      return [withSpread(row), comparison === undefined ? "" : times(comparison)].filter(Boolean).join(" ");
    });
    // One reason is enough for a whole line.
    const line = cells.every(cell => cell.startsWith("failed")) ? [cells[0] ?? ""] : cells;
    return [titleOf(results, subject), ...line];
  });
}

function rowsOf(results: Results, measure: MeasureEntry, title: string): Results["rows"] {
  return results.rows.filter(row => row.measure === measure.name && row.case === title);
}

/** The title of a subject; its name if it is not in the list of subjects. */
export function titleOf(results: Results, name: string): string {
  return results.subjects.find(subject => subject.name === name)?.title ?? name;
}

/** Machine, settings and versions, one fact per line. */
export function circumstances(results: Results): string[] {
  const { machine, settings } = results;
  const programs = results.subjects.filter(({ version }) => version !== "");
  return [
    `${results.date.slice(0, 10)}, commit ${results.commit}`,
    `${machine.cores} cores of ${machine.cpu}, ${number(machine.memory / 2 ** 30)} GiB, Linux ${machine.kernel}; load program, proxy and backend share the cores`,
    `${roundsOf(results)}, samples of ${settings.seconds} s, at most ${settings.descriptorLimit.toLocaleString("en")} descriptors for each process, ${quiet(settings.loadBefore)}`,
    programs.map(({ title, version }) => `${title} ${version}`).join("; "),
    ...results.leftOut.map(({ name, why }) => `left out: ${name} (${why})`),
  ];
}

function quiet(loadBefore: number): string {
  const text = `load average before the run ${number(loadBefore)}`;
  return loadBefore < 1 ? text : `${text}: other programs took part of the machine, as the spread shows`;
}

/** `5 rounds, 3 of idle connections, 3 of growth` */
function roundsOf({ settings: { rounds }, measures }: Results): string {
  const fewer = measures.filter(measure => measure.rounds < rounds);
  return [
    `${rounds} round${rounds === 1 ? "" : "s"}`,
    ...fewer.map(measure => `${measure.rounds} of ${measure.title}`),
  ].join(", ");
}
