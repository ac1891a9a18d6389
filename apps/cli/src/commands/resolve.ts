import { isIP } from "node:net";
import { lookUpSrv } from "@gw/discovery";
import {
  aborted,
  createLimiter,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Limiter,
} from "@gw/interface";
import type { Command } from "commander";
import type { Resolver } from "../compose/resolver.js";
import type { Sources } from "../compose/sources.js";
import { rejectDiscoveryContradictions } from "../flags/contradictions.js";
import { pinnedClusterId } from "../flags/health.js";
import { declareFlags, type ResolveFlags, resolveFlags, valuesOf } from "../flags/table.js";
import { printed, printJson, printLines, printWarning, stdoutClosed } from "../output/stdio.js";
import { table } from "../output/table.js";
import { onWarning } from "../process/events.js";
import { stopSignals } from "../process/stop-signals.js";
import { clusterErrorOf } from "./check-endpoint.js";
import { groups, mixedClusters } from "./check-report.js";
import { type AskCluster, askClusters } from "./cluster-question.js";
import { type Discovered, discover, turn } from "./discover.js";

/** What `gw resolve --json` prints, one line for each report. */
interface ResolveReport {
  /** SRV records by service name, as DNS has them; absent without `--discovery-srv`. */
  readonly srv?: readonly {
    readonly name: string;
    readonly server?: string;
    readonly error?: string;
    readonly records: readonly {
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
      readonly ttlSeconds: number;
    }[];
  }[];
  readonly endpoints: readonly EndpointReport[];
  /** What works and is insecure or will fail later, a sentence each. */
  readonly warnings: readonly string[];
  /** Failures, a sentence each. */
  readonly problems: readonly string[];
}

/** One endpoint as seen from here. */
interface EndpointReport {
  readonly endpoint: string;
  /** SRV priority: lower numbers serve first. */
  readonly tier: number;
  readonly weight: number;
  /** Whether it has TLS according to its source; absent if that is unknown. */
  readonly secure?: boolean;
  readonly addresses: readonly string[];
  /** `ok`, `not checked`, or the error. */
  readonly certificate: string;
  /** The id of its etcd cluster, as etcdctl prints it; absent if it is unknown, or with `--cluster-id off`. */
  readonly clusterId?: string;
  /** Why the id is unknown. */
  readonly clusterError?: string;
  readonly usable: boolean;
}

/** Adds `gw resolve`. */
export function addResolve(gw: Command): void {
  const command = gw
    .command("resolve")
    .description("print what discovery finds")
    .usage("[flags]")
    .option("--json", "print JSON, a line for each report")
    .option("--watch", "go on, and print again whenever something changed")
    .helpOption("-h, --help", "print this help");
  declareFlags(command, resolveFlags);
  command.action((own: { readonly json?: boolean; readonly watch?: boolean }) => {
    onWarning(printWarning);
    const { json = false, watch = false } = own;
    return resolve({ ...valuesOf(gw, command, resolveFlags), json, watch });
  });
}

/**
 * `gw resolve`: prints the endpoints as discovery finds them.
 *
 * @throws {GatewayError} when nothing usable was found, or the flags are wrong
 */
async function resolve(flags: ResolveFlags): Promise<void> {
  rejectDiscoveryContradictions(flags, false);
  const stop = stopSignals({ hangup: true });
  const ended = new AbortController();
  const over = AbortSignal.any([stop.drain, stdoutClosed]);
  const signal = AbortSignal.any([over, ended.signal]);
  let onChange = (): void => {};
  const discovered = await discover(flags, { signal, onChange: () => onChange() });
  const { problems } = discovered;
  const askCluster = flags.clusterId === "off" ? undefined : await askClusters(discovered, signal);
  let usable = false;
  let printing: Promise<void> | undefined;
  /** Prints what is known, one report after the other. */
  const print = (): void => {
    printing = Promise.resolve(printing).then(async () => {
      const report = await reportOn(discovered, flags, askCluster, signal);
      if (signal.aborted) return;
      problems.clear();
      usable = report.endpoints.some(one => one.usable);
      if (flags.json) printJson(report);
      else printLines(formatReport(report));
      // A slow reader gets fewer reports, not a growing number of old ones.
      if (flags.watch) await printed(signal);
    });
  };
  await Promise.race([discovered.settled, aborted(over)]);
  print();
  await Promise.race([printing, aborted(stop.drain)]);
  // A fault of the configuration ends the command, after the first report.
  const wrong = await Promise.race([discovered.ended, turn()]);
  if (flags.watch && !wrong) {
    onChange = print;
    await aborted(over);
  }
  ended.abort();
  await Promise.race([Promise.allSettled([discovered.ended, printing]), aborted(stop.drain)]);
  if (wrong) throw wrong;
  if (!usable && !flags.watch && !over.aborted)
    throw new GatewayError("unreachable", "no usable endpoint was found");
}

/** How many certificates are checked at the same time; each takes a descriptor. */
const atOnce = 16;

async function reportOn(
  { endpoints, resolver, sources, problems, warnings }: Discovered,
  flags: ResolveFlags,
  askCluster: AskCluster | undefined,
  signal: AbortSignal,
): Promise<ResolveReport> {
  const limited = createLimiter({ limit: atOnce });
  const noted = { warnings: [...warnings], problems: [...problems] };
  const [srv, reports] = await Promise.all([
    flags.discoverySrv === undefined ? undefined : srvReports(flags.discoverySrv, flags, resolver, signal),
    Promise.all(
      endpoints.map(async endpoint => {
        const [report, cluster] = await Promise.all([
          endpointReport(endpoint, resolver, sources, limited, signal),
          askCluster?.(endpoint),
        ]);
        const wrong = clusterErrorOf(cluster?.clusterId, pinnedClusterId(flags));
        if (wrong !== undefined) noted.problems.push(`${report.endpoint}: ${wrong}`);
        return { ...report, ...cluster, usable: report.usable && wrong === undefined };
      }),
    ),
  ]);
  const mixed = mixedClusters(groups(reports, ({ clusterId }) => clusterId));
  if (mixed !== undefined && pinnedClusterId(flags) === undefined) noted.problems.push(mixed);
  return { ...(srv && { srv }), endpoints: reports, ...noted };
}

async function srvReports(
  domain: string,
  flags: ResolveFlags,
  resolver: Resolver,
  signal: AbortSignal,
): Promise<NonNullable<ResolveReport["srv"]>> {
  const services = await lookUpSrv(
    { domain, serviceName: flags.discoverySrvName, dns: resolver.dns() },
    signal,
  );
  return services.map(({ name, answer }) => {
    if (answer instanceof GatewayError) return { name, error: answer.detail, records: [] };
    const records = answer.records.map(({ priority, weight, port, target, ttlMs }) => ({
      priority,
      weight,
      port,
      target: target.replace(/(?<=.)\.$/, ""),
      ttlSeconds: ttlMs / 1_000,
    }));
    return { name: answer.name.replace(/\.$/, ""), server: answer.server, records };
  });
}

async function endpointReport(
  endpoint: Endpoint,
  { lookup }: Resolver,
  { certificates: { check } }: Sources,
  limited: Limiter,
  signal: AbortSignal,
): Promise<EndpointReport> {
  const { host, priority, weight, secure } = endpoint;
  const addresses = isIP(host)
    ? [host]
    : await lookup(host).then(
        answer => answer.addresses,
        () => [],
      );
  const certificate = secure && check ? await verdict(limited(() => check(endpoint, signal))) : "not checked";
  const usable = addresses.length > 0 && (certificate === "ok" || certificate === "not checked");
  return {
    endpoint: formatAddress(endpoint),
    tier: priority,
    weight,
    ...(secure !== undefined && { secure }),
    addresses,
    certificate,
    usable,
  };
}

function verdict(checked: Promise<unknown>): Promise<string> {
  return checked.then(
    () => "ok",
    (error: unknown) => GatewayError.from(error, "check").detail,
  );
}

/** The report of `gw resolve` as text. */
function formatReport({ srv = [], endpoints, warnings, problems }: ResolveReport): readonly string[] {
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
      ...table(
        ["ENDPOINT", "TIER", "WEIGHT", "TLS", "CERTIFICATE", "CLUSTER", "ADDRESSES"],
        endpoints.map(row),
      ),
    );
  for (const warning of warnings) lines.push(`warning: ${warning}`);
  for (const problem of problems) lines.push(`! ${problem}`);
  return lines;
}

function row(report: EndpointReport): readonly string[] {
  const { endpoint, tier, weight, secure, certificate, clusterId, clusterError, addresses } = report;
  const tls = secure === undefined ? "unknown" : secure ? "yes" : "no";
  return [
    endpoint,
    String(tier),
    String(weight),
    tls,
    certificate,
    clusterId ?? (clusterError === undefined ? "-" : "unknown"),
    addresses.join(", ") || "cannot be resolved",
  ];
}
