import { isIP } from "node:net";
import { lookUpSrv } from "@gw/discovery";
import { createLimiter, type Endpoint, formatAddress, GatewayError, type Limiter } from "@gw/interface";
import type { Sources } from "../compose/sources.js";
import type { ResolveFlags } from "../flags/commands.js";
import { printed, printJson, printLines, stdoutClosed } from "../output/stdio.js";
import { table } from "../output/table.js";
import { stopSignals } from "../process/stop-signals.js";
import { aborted, type Discovered, discover, turn } from "./discover.js";

/** What `gw resolve --json` prints, a line for each look. */
export interface ResolveReport {
  /** SRV records by service name, as DNS told them; absent without `--discovery-srv`. */
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
  /** What is used and should not be relied on, a sentence each. */
  readonly warnings: readonly string[];
  /** What went wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** One endpoint as seen from here. */
export interface EndpointReport {
  readonly endpoint: string;
  /** SRV priority: lower numbers serve first. */
  readonly tier: number;
  readonly weight: number;
  /** Whether its source says TLS; absent where it does not say. */
  readonly secure?: boolean;
  readonly addresses: readonly string[];
  /** `ok`, `not checked`, or what is wrong. */
  readonly certificate: string;
  readonly usable: boolean;
}

/**
 * `gw resolve`: prints what discovery sees.
 *
 * @throws {GatewayError} when nothing usable was found, or the flags are wrong
 */
export async function resolve(flags: ResolveFlags): Promise<void> {
  const stop = stopSignals({ hangup: true });
  const ended = new AbortController();
  const over = AbortSignal.any([stop.drain, stdoutClosed]);
  const signal = AbortSignal.any([over, ended.signal]);
  let onChange = (): void => {};
  const discovered = await discover(flags, { signal, onChange: () => onChange() });
  const { problems } = discovered;
  let usable = false;
  let printing: Promise<void> | undefined;
  /** Prints what is known, one report after the other. */
  const print = (): void => {
    printing = Promise.resolve(printing).then(async () => {
      const report = await look(discovered, flags, signal);
      if (signal.aborted) return;
      problems.clear();
      usable = report.endpoints.some(one => one.usable);
      if (flags.json) printJson(report);
      else printLines(formatReport(report));
      // Whoever watches slowly gets fewer reports, not more and more old ones.
      if (flags.watch) await printed(signal);
    });
  };
  await Promise.race([discovered.settled, aborted(over)]);
  print();
  await Promise.race([printing, aborted(stop.drain)]);
  // A fault of the configuration is told when what there is has been printed.
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

async function look(
  { endpoints, sources, problems, warnings }: Discovered,
  flags: ResolveFlags,
  signal: AbortSignal,
): Promise<ResolveReport> {
  const limited = createLimiter({ limit: atOnce });
  const noted = { warnings: [...warnings], problems: [...problems] };
  const [srv, reports] = await Promise.all([
    flags.discoverySrv === undefined ? undefined : lookAtSrv(flags.discoverySrv, flags, sources, signal),
    Promise.all(endpoints.map(endpoint => lookAt(endpoint, sources, limited, signal))),
  ]);
  return { ...(srv && { srv }), endpoints: reports, ...noted };
}

async function lookAtSrv(
  domain: string,
  flags: ResolveFlags,
  { dns }: Sources,
  signal: AbortSignal,
): Promise<NonNullable<ResolveReport["srv"]>> {
  const services = await lookUpSrv({ domain, serviceName: flags.discoverySrvName, dns }, signal);
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

async function lookAt(
  endpoint: Endpoint,
  { lookup, check }: Sources,
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
  const told = secure === undefined ? {} : { secure };
  return {
    endpoint: formatAddress(endpoint),
    tier: priority,
    weight,
    ...told,
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
