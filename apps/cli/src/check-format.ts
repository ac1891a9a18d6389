import type { CheckReport } from "./check.js";
import type { EndpointCheck } from "./check-endpoint.js";
import { daysLeft } from "./check-findings.js";
import { table } from "./output/table.js";

/** The report of `gw check` for people. */
export function formatCheck({ endpoints, findings, good }: CheckReport): readonly string[] {
  const lines: string[] = [];
  const titles = ["ENDPOINT", "CONNECT", "HEALTH", "CERTIFICATE", "ETCD", "MEMBER", "ROLE"];
  if (endpoints.length > 0) lines.push(...table(titles, endpoints.map(row)), "");
  for (const [id, members] of clustersOf(endpoints)) lines.push(`cluster ${id}: ${members} of the endpoints`);
  for (const { severity, message } of findings) lines.push(`${severity}: ${message}`);
  if (good) lines.push("all endpoints can serve");
  return lines;
}

function row(check: EndpointCheck): readonly string[] {
  const { endpoint, addresses, health, member } = check;
  const connectMs = addresses.at(-1)?.connectMs;
  return [
    endpoint,
    connectMs === undefined ? "fails" : `${connectMs.toFixed(connectMs < 10 ? 1 : 0)} ms`,
    health === undefined ? "-" : health.error === undefined ? health.level : "fails",
    certificateOf(check),
    member?.version ?? "-",
    member?.memberId ?? "-",
    roleOf(member),
  ];
}

function certificateOf({ secure, certificate }: EndpointCheck): string {
  if (certificate?.error !== undefined) return "fails";
  const days = daysLeft(certificate?.expires);
  if (days !== undefined) return days < 0 ? "expired" : `${days} days`;
  return secure === false ? "no TLS" : "-";
}

function roleOf(member: EndpointCheck["member"]): string {
  if (member?.memberId === undefined) return "-";
  if (member.learner) return "learner";
  if (member.leaderId === undefined) return "no leader";
  return member.leaderId === member.memberId ? "leader" : "follower";
}

function clustersOf(endpoints: readonly EndpointCheck[]): ReadonlyMap<string, number> {
  const clusters = new Map<string, number>();
  for (const { member } of endpoints)
    if (member?.clusterId !== undefined)
      clusters.set(member.clusterId, (clusters.get(member.clusterId) ?? 0) + 1);
  return clusters;
}
