import { table } from "./output/table.js";
import type { EndpointReport, ResolveReport } from "./resolve.js";

/** The report of `gw resolve` for people. */
export function formatReport({ srv = [], endpoints, warnings, problems }: ResolveReport): readonly string[] {
  const lines: string[] = [];
  for (const { name, server, error, records } of srv) {
    const count = records.length === 1 ? "1 record" : `${records.length} records`;
    lines.push(error === undefined ? `${name}: ${count} from ${server}` : `${name}: ${error}`);
    const rows = records.map(({ priority, weight, port, target, ttlSeconds }) =>
      [priority, weight, port, target, `${ttlSeconds}s`].map(String),
    );
    if (rows.length > 0) lines.push(...table(["PRIORITY", "WEIGHT", "PORT", "TARGET", "TTL"], rows), "");
  }
  if (endpoints.length > 0)
    lines.push(
      ...table(["ENDPOINT", "TIER", "WEIGHT", "TLS", "CERTIFICATE", "ADDRESSES"], endpoints.map(row)),
    );
  for (const warning of warnings) lines.push(`warning: ${warning}`);
  for (const problem of problems) lines.push(`! ${problem}`);
  return lines;
}

function row({ endpoint, tier, weight, secure, certificate, addresses }: EndpointReport): readonly string[] {
  const tls = secure === undefined ? "unknown" : secure ? "yes" : "no";
  return [
    endpoint,
    String(tier),
    String(weight),
    tls,
    certificate,
    addresses.join(", ") || "cannot be resolved",
  ];
}
