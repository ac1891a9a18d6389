import type { Sample } from "../model/history.js";

/** A line of a chart. */
export interface Series {
  readonly label: string;
  readonly value: (sample: Sample) => number | null;
  readonly format: (value: number) => string;
}

/** What a chart shows. */
export interface ChartContent {
  readonly title: string;
  /** The first one decides the axis; two at most. */
  readonly series: readonly Series[];
  /** The end of the axis is at least this, so that small values do not look large. */
  readonly least: number;
  /** Draws each value as a point, for values with gaps between them. */
  readonly points?: boolean;
  readonly note?: string;
}
