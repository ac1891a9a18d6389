import type { EndpointView, Status } from "../contract/status.js";
import type { EndpointCounts } from "../totals/endpoints.js";
import type { Histogram } from "../totals/histogram.js";
import type { Totals } from "../totals/totals.js";
import type { AddSample, FamilyHead } from "./writer.js";

/** What `/metrics` shows. */
export interface MetricsSource {
  readonly status: Status;
  readonly totals: Totals;
  /** Events that were recorded so far, those that are no longer kept included. */
  readonly eventsRecorded?: number | undefined;
}

/** The same, with what several families need. */
export interface PreparedSource extends MetricsSource {
  /** The endpoints of the status that have series of their own. */
  readonly shown: readonly EndpointView[];
  /** The counts of each endpoint that has series of its own, those that left the set included; then of all others. */
  readonly counts: readonly (readonly [endpoint: string, counts: EndpointCounts])[];
}

/** A metric: what it is called, and where its samples come from. */
export interface Family extends FamilyHead {
  collect(source: PreparedSource, add: AddSample): void;
}

/** Adds a histogram of milliseconds in seconds. */
export function addHistogram(add: AddSample, histogram: Histogram, labels: readonly string[] = []): void {
  for (const [index, count] of histogram.cumulated().entries()) {
    const limit = histogram.bounds[index];
    add(count, labels, "_bucket", limit === undefined ? Infinity : limit / 1_000);
  }
  add(histogram.sum / 1_000, labels, "_sum");
  add(histogram.count, labels, "_count");
}
