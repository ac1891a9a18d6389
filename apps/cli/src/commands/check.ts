import { isIP } from "node:net";
import { createLimiter, type Endpoint, GatewayError } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import { loadProbe } from "../compose/health.js";
import type { Sources } from "../compose/sources.js";
import type { CheckFlags } from "../flags/commands.js";
import { healthChoices, refuseHealthContradictions } from "../flags/health.js";
import { printJson, printLines } from "../output/stdio.js";
import { stopSignals } from "../process/stop-signals.js";
import { checkEndpoint, type EndpointCheck, type Instruments } from "./check-endpoint.js";
import { type Finding, findings, formatCheck } from "./check-report.js";
import { aborted, discover, turn } from "./discover.js";

/** What `gw check --json` prints. */
export interface CheckReport {
  readonly endpoints: readonly EndpointCheck[];
  readonly findings: readonly Finding[];
  /** Whether all endpoints may serve, and belong together. */
  readonly good: boolean;
}

/** How many endpoints are looked at at the same time; each takes a few descriptors. */
const atOnce = 16;

/**
 * `gw check`: looks at the real endpoints as the gateway would, and further, and prints what it found.
 *
 * @throws {GatewayError} when some endpoint cannot serve or they do not belong together, or the flags are wrong
 */
export async function check(flags: CheckFlags): Promise<void> {
  refuseHealthContradictions(flags);
  const stop = stopSignals({ hangup: true });
  const ended = new AbortController();
  const signal = AbortSignal.any([stop.drain, ended.signal]);
  const { healthCheck: how = healthChoices[0] } = flags;
  const discovered = await discover(flags, {
    signal,
    connectTimeoutMs: flags.connectTimeoutMs,
    healthChecked: how !== "off" && how !== "tcp",
  });
  await Promise.race([discovered.settled, aborted(signal)]);
  const wrong = await Promise.race([discovered.ended, turn()]);
  const instruments = await prepare(flags, discovered.sources, discovered.dialer);
  try {
    const checked = checkAll(discovered.endpoints, instruments, signal);
    checked.catch(() => {});
    const endpoints = await Promise.race([checked, aborted(stop.drain)]);
    if (!endpoints || stop.drain.aborted) return;
    const found = findings(endpoints, [...discovered.problems], [...discovered.warnings]);
    const good = endpoints.length > 0 && !found.some(({ severity }) => severity === "error");
    const report: CheckReport = { endpoints, findings: found, good };
    if (flags.json) printJson(report);
    else printLines(formatCheck(report));
    if (wrong) throw wrong;
    if (endpoints.length === 0) throw new GatewayError("unreachable", "no endpoint was found");
    if (!good) throw new GatewayError("unhealthy", verdictOn(endpoints));
  } finally {
    ended.abort();
    instruments.close();
  }
}

function verdictOn(endpoints: readonly EndpointCheck[]): string {
  const bad = endpoints.filter(({ usable }) => !usable).length;
  if (bad === 0) return "the endpoints do not belong together";
  return `${bad} of ${endpoints.length} ${endpoints.length === 1 ? "endpoint" : "endpoints"} cannot serve`;
}

async function checkAll(
  endpoints: readonly Endpoint[],
  instruments: Instruments,
  signal: AbortSignal,
): Promise<readonly EndpointCheck[]> {
  // All at once: names that are slow are so side by side, and not for one batch after the other.
  for (const { host } of endpoints) if (!isIP(host)) instruments.lookup(host).catch(() => {});
  const limited = createLimiter({ limit: atOnce });
  const checks = endpoints.map(endpoint =>
    limited(async () => (signal.aborted ? [] : [await checkEndpoint(endpoint, instruments, signal)])),
  );
  return (await Promise.all(checks)).flat();
}

/** All that looks, put together as the flags say. */
async function prepare(
  flags: CheckFlags,
  { lookup, tls, serverNames, check }: Sources,
  dialer: Instruments["dialer"],
): Promise<Instruments & { close(): void }> {
  const { certificateCheck } = await import("@gw/etcd-client");
  const { etcdStatus } = await import("@gw/health");
  const dial = (endpoint: Endpoint, signal: AbortSignal) => dialer.dial(endpoint, { signal });
  const health = await loadProbe(flags, { tls, serverNames, dial });
  const timeoutMs = flags.healthTimeoutMs;
  // Who a server is, is what the certificate says; here it is asked how it is, whoever it may be.
  const { ca: _, ...client } = tls;
  const status = etcdStatus({ ...client, serverNames, dial, timeoutMs });
  const certificate = certificateCheck({ ...tls, serverNames, dial, timeoutMs, verify: check !== undefined });
  return {
    dialer,
    lookup: once(lookup),
    status,
    certificate,
    certificateDemanded: check !== undefined,
    probe: health?.probe,
    close() {
      status.close();
      health?.close();
    },
  };
}

/** Looks each name up once. */
function once(lookup: Lookup): Lookup {
  const known = new Map<string, ReturnType<Lookup>>();
  return host => {
    const found = known.get(host) ?? lookup(host);
    known.set(host, found);
    return found;
  };
}
