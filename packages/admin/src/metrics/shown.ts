import type { EndpointView } from "../contract/status.js";
import {
  addCounts,
  type EndpointCounts,
  maxEndpointSeries,
  noCounts,
  shownBytes,
} from "../totals/endpoints.js";
import type { MetricsSource } from "./family.js";

/** The value of the label `endpoint` in the sums of all endpoints without series of their own. */
export const otherEndpoints = "other";

/** The endpoints of the status that have series of their own. */
export function shownEndpoints({ status, totals }: MetricsSource): readonly EndpointView[] {
  const { endpoints } = status;
  // Those that no event was about yet have no record.
  const shown = endpoints.filter(({ endpoint }) => totals.endpoints.get(endpoint)?.hasSeries ?? true);
  return shown.length > maxEndpointSeries ? shown.slice(0, maxEndpointSeries) : shown;
}

/** The counts of each endpoint that has series of its own, those that left the set included; then of all others. */
export function shownCounts({
  status,
  totals,
}: MetricsSource): readonly (readonly [string, EndpointCounts])[] {
  const open = new Map(status.endpoints.map(one => [one.endpoint, one.totals]));
  const others = noCounts();
  addCounts(others, totals.endpoints.forgotten);
  const shown: [string, EndpointCounts][] = [];
  for (const record of totals.endpoints.all()) {
    const counts = { ...record.counts, ...shownBytes(record, open.get(record.name)) };
    if (record.hasSeries) shown.push([record.name, counts]);
    else addCounts(others, counts);
  }
  return [...shown, [otherEndpoints, others]];
}
