import { metricFamilies } from "./families.js";
import type { MetricsSource } from "./family.js";
import { prepare } from "./shown.js";
import { createMetricsWriter, type MetricsFormat } from "./writer.js";

/** The whole text of `/metrics`. */
export function renderMetrics(source: MetricsSource, format: MetricsFormat): string {
  const writer = createMetricsWriter(format);
  const prepared = prepare(source);
  for (const family of metricFamilies) writer.family(family, add => family.collect(prepared, add));
  return writer.end();
}
