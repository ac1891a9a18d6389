import {
  addCounts,
  type EndpointCounts,
  maxEndpointSeries,
  noCounts,
  shownBytes,
} from "../totals/endpoints.js";
import type { MetricsSource, PreparedSource } from "./family.js";

/** The value of the label `endpoint` in the sums of all endpoints without series of their own. */
const otherEndpoints = "other";

/** Decides which endpoints have series of their own, once for each scrape. */
export function prepare(source: MetricsSource): PreparedSource {
  return { ...source, shown: shownEndpoints(source), counts: shownCounts(source) };
}

function shownEndpoints({ status, totals }: MetricsSource): PreparedSource["shown"] {
  // Those that no event was about yet have no record.
  return status.endpoints
    .filter(({ endpoint }) => totals.endpoints.get(endpoint)?.hasSeries ?? true)
    .slice(0, maxEndpointSeries);
}

function shownCounts({ status, totals }: MetricsSource): PreparedSource["counts"] {
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
