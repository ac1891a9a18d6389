import { isIP } from "node:net";
import { lookUpSrv } from "@gw/discovery";
import { type Endpoint, formatAddress, GatewayError, type Observer } from "@gw/interface";
import { createDialer } from "@gw/tcpproxy";
import type { DiscoveryFlags } from "./discovery-flags.js";
import { formatReport } from "./resolve-format.js";
import { createSources, type Sources } from "./sources.js";
import { stopSignals } from "./stop-signals.js";

/** What the user said about `gw resolve`. */
export interface ResolveFlags extends DiscoveryFlags {
  readonly json?: boolean;
  readonly watch?: boolean;
}

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
  const stop = stopSignals();
  const problems = new Set<string>();
  let onProblem = (): void => {};
  const observer: Observer = {
    lookupFailed({ source, error }) {
      problems.add(`${source}: ${error.detail}`);
      onProblem();
    },
    endpointRefused: ({ endpoint, error }) => problems.add(`${formatAddress(endpoint)}: ${error.detail}`),
  };
  const sources = await createSources(flags, {
    observer,
    dial: (endpoint, signal) => dialer.dial(endpoint, { signal }),
  });
  const dialer = createDialer({ lookup: sources.lookup });
  const ended = new AbortController();
  const signal = AbortSignal.any([stop.drain, ended.signal]);
  let known: readonly Endpoint[] = [];
  let usable = false;
  let printing: Promise<void> | undefined;
  /** Prints what is known, one report after the other. */
  const print = (): void => {
    printing = Promise.resolve(printing).then(async () => {
      const report = await look(known, flags, sources, [...problems], signal);
      if (signal.aborted) return;
      problems.clear();
      usable = report.endpoints.some(one => one.usable);
      process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : formatReport(report));
    });
  };
  let onSet = (): void => {};
  const followed = (async () => {
    for await (const set of sources.unchecked.watch({ signal })) {
      known = set;
      onSet();
    }
  })();
  // A fault of the configuration is told when what there is has been printed.
  const fault = Promise.all([followed, sources.settled]).then(
    () => undefined,
    (error: unknown) => GatewayError.from(error, "discovery"),
  );
  await Promise.race([sources.settled.catch(() => {}), fault, aborted(stop.drain)]);
  // The union of the sources is told a moment after they have told theirs.
  await turn();
  print();
  await printing;
  const wrong = await Promise.race([fault, turn()]);
  if (flags.watch && !wrong) {
    onSet = print;
    onProblem = print;
    await aborted(stop.drain);
  }
  ended.abort();
  await Promise.allSettled([followed, printing]);
  if (wrong) throw wrong;
  if (!usable && !flags.watch && !stop.drain.aborted)
    throw new GatewayError("unreachable", "no usable endpoint was found");
}

/** One turn of the event loop. */
function turn(): Promise<undefined> {
  return new Promise(resolve => setImmediate(() => resolve(undefined)));
}

async function look(
  endpoints: readonly Endpoint[],
  flags: ResolveFlags,
  sources: Sources,
  problems: readonly string[],
  signal: AbortSignal,
): Promise<ResolveReport> {
  const [srv, reports] = await Promise.all([
    flags.discoverySrv === undefined ? undefined : lookAtSrv(flags.discoverySrv, flags, sources, signal),
    Promise.all(endpoints.map(endpoint => lookAt(endpoint, sources, signal))),
  ]);
  return { ...(srv && { srv }), endpoints: reports, problems };
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
  signal: AbortSignal,
): Promise<EndpointReport> {
  const { host, priority, weight, secure } = endpoint;
  const addresses = isIP(host)
    ? [host]
    : await lookup(host).then(
        answer => answer.addresses,
        () => [],
      );
  const certificate = secure && check ? await verdict(check(endpoint, signal)) : "not checked";
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

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}
