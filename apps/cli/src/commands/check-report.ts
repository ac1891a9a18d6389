import { table } from "../output/table.js";
import type { EndpointCheck } from "./check-endpoint.js";

/** What `gw check --json` prints. */
export interface CheckReport {
  readonly endpoints: readonly EndpointCheck[];
  readonly findings: readonly Finding[];
  /** Whether all endpoints can serve, and belong together. */
  readonly good: boolean;
}

/** A fact that operators should know. */
export interface Finding {
  /** `error`: `gw check` fails for it. */
  readonly severity: "error" | "warning" | "info";
  readonly message: string;
}

/** What the checks of all endpoints show, the worst first. */
export function findings(
  checks: readonly EndpointCheck[],
  problems: readonly string[],
  warnings: readonly string[] = [],
): readonly Finding[] {
  const found: readonly (readonly Finding[])[] = [
    problems.map(message => ({ severity: "error", message })),
    otherClusters(checks),
    checks.flatMap(failureOf),
    warnings.map(message => ({ severity: "warning", message })),
    sameMember(checks),
    checks.flatMap(expiring),
    checks.flatMap(notesOn),
    alarmsOf(checks),
    mixed(checks),
    versionsOf(checks),
  ];
  return found.flat();
}

/** An endpoint that cannot serve, and why. */
function failureOf(check: EndpointCheck): readonly Finding[] {
  const { endpoint, usable, addresses, health, certificate, clusterError } = check;
  if (usable) return [];
  const failed = addresses.flatMap(({ error }) => error ?? []);
  const why = clusterError ?? health?.error ?? certificate?.error ?? failed.join("; ");
  return [{ severity: "error", message: `${endpoint} cannot serve: ${why}` }];
}

/** Clients of one address must not see the data of two clusters. */
function otherClusters(checks: readonly EndpointCheck[]): readonly Finding[] {
  const clusters = groups(checks, ({ member }) => member?.clusterId);
  const message = mixedClusters(clusters);
  return message === undefined ? [] : [{ severity: "error", message }];
}

/** What is wrong with endpoints of these clusters; undefined if they belong together. */
export function mixedClusters(clusters: ReadonlyMap<string, readonly string[]>): string | undefined {
  if (clusters.size < 2) return undefined;
  const each = [...clusters].map(([id, names]) => `${id}: ${names.join(", ")}`).join("; ");
  return `the endpoints belong to ${clusters.size} different clusters, of which the gateway uses one (${each})`;
}

function sameMember(checks: readonly EndpointCheck[]): readonly Finding[] {
  const members = groups(checks, ({ member }) => member?.memberId);
  return [...members].flatMap(([id, names]) =>
    names.length < 2
      ? []
      : [{ severity: "warning" as const, message: `${names.join(" and ")} are one member, ${id}` }],
  );
}

/** A certificate that expires within this time is reported, in days. */
const soonDays = 30;

function expiring({ endpoint, certificate }: EndpointCheck): readonly Finding[] {
  const days = daysLeft(certificate?.expires);
  if (days === undefined || days > soonDays) return [];
  const when = days < 0 ? "has expired" : `expires in ${days} days`;
  return [{ severity: "warning", message: `${endpoint}: its certificate ${when} (${certificate?.expires})` }];
}

/** Whole days until then; undefined where nothing expires. */
function daysLeft(expires: string | undefined): number | undefined {
  return expires === undefined ? undefined : Math.floor((Date.parse(expires) - Date.now()) / 86_400_000);
}

function notesOn({ endpoint, usable, health, certificate, addresses }: EndpointCheck): readonly Finding[] {
  // Without --trusted-ca-file, a certificate that cannot be checked is a warning only.
  const note = health?.note ?? (usable ? certificate?.error : undefined);
  const failed = addresses.slice(0, -1).map(({ address, error }) => `${address}: ${error}`);
  return [
    ...(note === undefined ? [] : [{ severity: "warning" as const, message: `${endpoint}: ${note}` }]),
    ...(addresses.at(-1)?.connectMs === undefined ? [] : failed).map(message => ({
      severity: "warning" as const,
      message: `${endpoint}: one of its addresses does not accept connections (${message})`,
    })),
  ];
}

function alarmsOf(checks: readonly EndpointCheck[]): readonly Finding[] {
  const alarms = new Set(checks.flatMap(({ member }) => member?.alarms ?? []));
  return [...alarms].map(alarm => ({ severity: "warning", message: `the alarm ${alarm} is on` }));
}

function mixed(checks: readonly EndpointCheck[]): readonly Finding[] {
  const plain = checks.filter(({ secure }) => secure === false).map(({ endpoint }) => endpoint);
  const some = checks.some(({ secure }) => secure);
  if (!some || plain.length === 0) return [];
  const message = `some endpoints speak TLS and others do not (${plain.join(", ")}): no client can use both`;
  return [{ severity: "warning", message }];
}

function versionsOf(checks: readonly EndpointCheck[]): readonly Finding[] {
  const versions = groups(checks, ({ member }) => member?.version);
  if (versions.size < 2) return [];
  const each = [...versions].map(([version, names]) => `${version}: ${names.join(", ")}`).join("; ");
  return [{ severity: "info", message: `members have different versions (${each})` }];
}

/** The names of endpoints by what they have in common. */
export function groups<Check extends { readonly endpoint: string }>(
  checks: readonly Check[],
  keyOf: (check: Check) => string | undefined,
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const check of checks) {
    const key = keyOf(check);
    if (key !== undefined) names.set(key, [...(names.get(key) ?? []), check.endpoint]);
  }
  return names;
}

/** The report of `gw check` as text. */
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
    health === undefined ? "-" : health.error === undefined ? health.check : "fails",
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
