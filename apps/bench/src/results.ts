import type { Figure } from "./contract.js";

/** The results of a run; the content of latest.json. */
export interface Results {
  /** ISO 8601, when the run ended. */
  readonly date: string;
  readonly machine: Machine;
  /** The commit that was measured, with "-dirty" where the work tree differed. */
  readonly commit: string;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly quick: boolean;
    readonly descriptorLimit: number;
    /** The load average of the minute before the run. */
    readonly loadBefore: number;
  };
  readonly subjects: readonly SubjectEntry[];
  readonly measures: readonly MeasureEntry[];
  /** What was left out, and why. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  /** By measure, case and subject, in the order of the tables. */
  readonly rows: readonly Row[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** In bytes. */
  readonly memory: number;
  readonly kernel: string;
}

export interface SubjectEntry {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  readonly setUp?: string;
}

export interface MeasureEntry {
  readonly name: string;
  readonly title: string;
  readonly how: string;
  /** Rounds in which it was measured. */
  readonly rounds: number;
  readonly figures: readonly Figure[];
  /** The subject that ratios refer to. @default etcd gateway */
  readonly reference?: string;
  /** Whether there is a table for each figure with a line for each case, instead of the other way round. */
  readonly linePerCase?: boolean;
}

/** The samples of one figure of one case of one subject. */
export interface Row {
  readonly measure: string;
  readonly case: string;
  readonly subject: string;
  readonly figure: string;
  /** Those that succeeded, in the order of the rounds. */
  readonly samples: readonly number[];
  /** Undefined where no sample succeeded. */
  readonly median?: number;
  readonly min?: number;
  readonly max?: number;
  /** Why samples failed, one reason each. The median is of the others. */
  readonly failures: readonly string[];
}

/** The row for these samples. */
export function summarize(
  place: Pick<Row, "measure" | "case" | "subject" | "figure">,
  samples: readonly number[],
  failures: readonly string[],
): Row {
  const rounded = samples.map(value => Number(value.toPrecision(5)));
  const sorted = rounded.toSorted((a, b) => a - b);
  if (sorted.length === 0) return { ...place, samples: rounded, failures };
  const [min = 0, max = 0] = [sorted[0], sorted.at(-1)];
  return { ...place, samples: rounded, median: medianOf(sorted), min, max, failures };
}

function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2;
  const [low = 0, high = 0] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return Number(((low + high) / 2).toPrecision(5));
}

/** Finds the row of one figure. */
export function rowOf(results: Results, place: Omit<Row, "samples" | "failures">): Row | undefined {
  return results.rows.find(
    row =>
      row.measure === place.measure &&
      row.case === place.case &&
      row.subject === place.subject &&
      row.figure === place.figure,
  );
}
