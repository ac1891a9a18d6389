import { isIP } from "node:net";
import { aborted, createLimiter, type Endpoint, GatewayError } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import type { Command } from "commander";
import type { Dial } from "../compose/certificates.js";
import { loadProbe } from "../compose/health.js";
import { rejectCheckContradictions } from "../flags/contradictions.js";
import { pinnedClusterId } from "../flags/health.js";
import { type CheckFlags, checkFlags, declareFlags, valuesOf } from "../flags/table.js";
import { printJson, printLines, printWarning } from "../output/stdio.js";
import { onWarning } from "../process/events.js";
import { stopSignals } from "../process/stop-signals.js";
import { type CheckContext, checkEndpoint, type EndpointCheck } from "./check-endpoint.js";
import { type CheckReport, findings, formatCheck } from "./check-report.js";
import { type Discovered, discover, turn } from "./discover.js";

/** Adds `gw check`. */
export function addCheck(gw: Command): void {
  const command = gw
    .command("check")
    .description("check the real endpoints and their cluster")
    .usage("[flags]")
    .option("--json", "print JSON")
    .helpOption("-h, --help", "print this help");
  declareFlags(command, checkFlags);
  command.action(({ json = false }: { readonly json?: boolean }) => {
    onWarning(printWarning);
    return check({ ...valuesOf(gw, command, checkFlags), json });
  });
}

/** How many endpoints are checked at the same time; each takes a few file descriptors. */
const concurrency = 16;

/**
 * `gw check`: checks the real endpoints as the gateway would, and more thoroughly, and prints a report.
 *
 * @throws {GatewayError} if an endpoint cannot serve, the endpoints do not belong together, or the flags are wrong
 */
async function check(flags: CheckFlags): Promise<void> {
  rejectCheckContradictions(flags);
  const stop = stopSignals({ hangup: true });
  const ended = new AbortController();
  const signal = AbortSignal.any([stop.drain, ended.signal]);
  const discovered = await discover(flags, { signal, connectTimeoutMs: flags.connectTimeoutMs });
  await Promise.race([discovered.settled, aborted(signal)]);
  const fault = await Promise.race([discovered.ended, turn()]);
  const context = await prepare(flags, discovered);
  try {
    const checked = checkAll(discovered.endpoints, context, signal);
    checked.catch(() => {});
    const endpoints = await Promise.race([checked, aborted(stop.drain)]);
    if (!endpoints || stop.drain.aborted) return;
    const found = findings(endpoints, [...discovered.problems], [...discovered.warnings]);
    const good = endpoints.length > 0 && !found.some(({ severity }) => severity === "error");
    const report: CheckReport = { endpoints, findings: found, good };
    if (flags.json) printJson(report);
    else printLines(formatCheck(report));
    if (fault) throw fault;
    if (endpoints.length === 0) throw new GatewayError("unreachable", "no endpoint was found");
    if (!good) throw new GatewayError("unhealthy", summaryOf(endpoints));
  } finally {
    ended.abort();
    context.close();
  }
}

function summaryOf(endpoints: readonly EndpointCheck[]): string {
  const bad = endpoints.filter(({ usable }) => !usable).length;
  if (bad === 0) return "the endpoints do not belong together";
  return `${bad} of ${endpoints.length} ${endpoints.length === 1 ? "endpoint" : "endpoints"} cannot serve`;
}

async function checkAll(
  endpoints: readonly Endpoint[],
  context: CheckContext,
  signal: AbortSignal,
): Promise<readonly EndpointCheck[]> {
  // All look-ups begin now, so that slow ones run in parallel and do not delay one batch of checks after the other.
  for (const { host } of endpoints) if (!isIP(host)) context.lookup(host).catch(() => {});
  const limited = createLimiter({ limit: concurrency });
  const checks = endpoints.map(endpoint =>
    limited(async () => (signal.aborted ? [] : [await checkEndpoint(endpoint, context, signal)])),
  );
  return (await Promise.all(checks)).flat();
}

/** The probes that the flags ask for. */
async function prepare(
  flags: CheckFlags,
  { resolver, dialer, sources }: Discovered,
): Promise<CheckContext & { close(): void }> {
  const [{ certificateCheck }, { etcdStatus }] = await Promise.all([
    import("@gw/etcd-client"),
    import("@gw/health"),
  ]);
  const dial: Dial = (endpoint, signal) => dialer.dial(endpoint, { signal });
  const { serverNames, certificates } = sources;
  const { files: tls, check: validation } = certificates;
  const health = flags.healthCheck === "off" ? undefined : await loadProbe(flags, { tls, serverNames, dial });
  const timeoutMs = flags.healthTimeoutMs;
  // The status is requested from any server: its certificate is checked separately.
  const { ca: _, ...client } = tls;
  const status = etcdStatus({ ...client, serverNames, dial, timeoutMs });
  const certificate = certificateCheck({
    ...tls,
    serverNames,
    dial,
    timeoutMs,
    verify: validation !== undefined,
  });
  return {
    dialer,
    lookup: once(resolver.lookup),
    status,
    certificate,
    certificateDemanded: validation !== undefined,
    probe: health?.probe,
    pinned: pinnedClusterId(flags),
    close() {
      status.close();
      health?.close();
    },
  };
}

/** Looks up each name once. */
function once(lookup: Lookup): Lookup {
  const known = new Map<string, ReturnType<Lookup>>();
  return host => {
    const found = known.get(host) ?? lookup(host);
    known.set(host, found);
    return found;
  };
}
