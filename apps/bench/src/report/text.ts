import { number, type Rows } from "@gw/report";
import type { Figure } from "../contract.js";
import type { MeasureEntry, Results } from "../results.js";
import { rowOf } from "../results.js";
import { ratio, referenceOf, times, withSpread } from "./format.js";

/** A table with a heading row, as rows of cells. */
export interface Table {
  readonly title: string;
  readonly rows: Rows;
}

/** The tables of each measure, most of which have one for each case: a line for each subject, a column for each figure. */
export function detailTables(results: Results): Table[] {
  return results.measures.flatMap(measure => {
    const compared = measure.reference ? `, ratios to ${titleOf(results, measure.reference)}` : "";
    if (measure.linePerCase)
      return measure.figures.map(figure => ({
        title: `${measure.title}: ${withUnit(figure)}${compared}`,
        rows: caseLines(results, measure, figure),
      }));
    return casesOf(results, measure).map(title => ({
      title: `${measure.title}: ${title}${compared}`,
      rows: [["", ...measure.figures.map(withUnit)], ...linesOf(results, measure, title)],
    }));
  });
}

/** A line for each case, a column for each subject. */
function caseLines(results: Results, measure: MeasureEntry, { key }: Figure): string[][] {
  const subjects = subjectsOf(results.rows.filter(row => row.measure === measure.name));
  const lines = casesOf(results, measure).map(title => [
    title,
    ...subjects.map(subject => cellOf(results, { measure: measure.name, case: title, subject, figure: key })),
  ]);
  return [["", ...subjects.map(subject => titleOf(results, subject))], ...lines];
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

function withUnit({ title, unit }: Figure): string {
  return unit ? `${title}, ${unit}` : title;
}

function linesOf(results: Results, measure: MeasureEntry, title: string): string[][] {
  return subjectsOf(rowsOf(results, measure, title)).map(subject => {
    const cells = measure.figures.map(({ key }) =>
      cellOf(results, { measure: measure.name, case: title, subject, figure: key }),
    );
    // One reason is enough for a whole line.
    const line = cells.every(cell => cell.startsWith("failed")) ? [cells[0] ?? ""] : cells;
    return [titleOf(results, subject), ...line];
  });
}

/** The median with its spread, and its ratio to the reference. */
function cellOf(results: Results, place: Parameters<typeof rowOf>[1]): string {
  const row = rowOf(results, place);
  const comparison = place.subject === referenceOf(results, place.measure) ? undefined : ratio(results, row);
  return [withSpread(row), comparison === undefined ? "" : times(comparison)].filter(Boolean).join(" ");
}

function subjectsOf(rows: Results["rows"]): string[] {
  return [...new Set(rows.map(({ subject }) => subject))];
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
