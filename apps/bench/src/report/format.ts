import { number } from "@gw/report";
import { type Results, type Row, rowOf } from "../results.js";

/** The subject that ratios refer to, unless a measure has its own. */
export const reference = "etcd-gateway";

/** The median with the spread of the rounds, `1,234 (1,200–1,250)`, or why there is none. */
export function withSpread(row: Row | undefined): string {
  if (!row) return "";
  if (row.median === undefined) return `failed: ${row.failures[0]}`;
  const { median, min = median, max = median, samples, failures } = row;
  const spread = samples.length > 1 ? ` (${number(min)}–${number(max)})` : "";
  const failed =
    failures.length > 0 ? `, ${failures.length} of ${samples.length + failures.length} failed` : "";
  return `${number(median)}${spread}${failed}`;
}

/** The subject that the ratios of a measure refer to. */
export function referenceOf(results: Results, measure: string): string {
  return results.measures.find(({ name }) => name === measure)?.reference ?? reference;
}

/** The row's median divided by the reference's; undefined if one is missing, or not above 0 as growth may be. */
export function ratio(results: Results, row: Row | undefined): number | undefined {
  const subject = row && referenceOf(results, row.measure);
  const base = row && subject && rowOf(results, { ...row, subject })?.median;
  return base && base > 0 && row.median !== undefined && row.median >= 0 ? row.median / base : undefined;
}

/** `1.44×` */
export function times(value: number | undefined): string {
  return value === undefined ? "" : `${value.toFixed(value < 0.1 ? 3 : 2)}×`;
}
