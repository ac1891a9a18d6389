import { file, members, merge, srv, staticEndpoints, validated } from "@gw/discovery";
import {
  type Discovery,
  type Endpoint,
  GatewayError,
  type Observer,
  sleep,
  systemClock,
} from "@gw/interface";
import { rejectNothingToValidate } from "../flags/contradictions.js";
import { type DiscoveryFlags, listedEndpoints } from "../flags/discovery.js";
import { type Certificates, type Dial, loadCertificates } from "./certificates.js";
import { loadCredentials } from "./credentials.js";
import type { Resolver } from "./resolver.js";

/** Where endpoints come from. */
export interface Sources {
  readonly discovery: Discovery;
  /** The same before certificates are validated. */
  readonly unvalidated: Discovery;
  /** TLS towards endpoints. */
  readonly certificates: Certificates;
  /** Names that a certificate may have instead of the endpoint's host: the discovery domain. */
  readonly serverNames: readonly string[];
  /** Endpoints that were listed more than once, `host:port`. */
  readonly duplicates: readonly string[];
  /** How many endpoints were given one by one. */
  readonly listed: number;
}

/** What the sources need of the rest of the gateway. */
export interface SourcesContext {
  readonly resolver: Resolver;
  readonly dial: Dial;
  readonly observer: Observer;
  /** Covers sources that have no endpoints at the start. @default nothing does */
  readonly withFallback?: ((source: Discovery) => Discovery) | undefined;
  /** Reports a fault that stops nothing: the name of the event, and why. */
  readonly warn: (event: "credentials exposed" | "credentials invalid", why: string) => void;
}

/**
 * The sources that the flags name, as one: their union; with `--discovery-members` the members of the cluster that the
 * union leads to; with `--trusted-ca-file` only endpoints whose certificate is of that CA.
 *
 * @throws {GatewayError} of the configuration's codes
 */
export async function createSources(
  flags: DiscoveryFlags,
  { resolver, dial, observer, warn, withFallback = source => source }: SourcesContext,
): Promise<Sources> {
  const listed = listedEndpoints(flags);
  const refresh = {
    minRefreshMs: flags.discoveryMinRefreshMs,
    maxRefreshMs: flags.discoveryMaxRefreshMs,
    emptyAfterMs: flags.discoveryEmptyAfterMs,
    observer,
  };
  const sources: Discovery[] = [];
  if (listed) sources.push(staticEndpoints(listed.endpoints));
  if (flags.endpointsFile !== undefined) sources.push(file(flags.endpointsFile, refresh));
  if (flags.discoverySrv !== undefined)
    sources.push(
      srv({
        domain: flags.discoverySrv,
        serviceName: flags.discoverySrvName,
        // With a CA, endpoints must have TLS.
        insecure: flags.insecureDiscovery ?? (flags.trustedCaFile === undefined ? undefined : false),
        dns: resolver.dns(),
        ...refresh,
      }),
    );
  const given = sources.length === 1 && sources[0] ? sources[0] : merge(sources, { observer });
  // Below the member list and the validation, so that what is remembered is asked and validated, too.
  const seeds = withFallback(given);

  const certificates = await loadCertificates(flags, dial);
  const { check } = certificates;
  if (check) rejectNothingToValidate(flags, listed?.endpoints ?? []);

  const serverNames = flags.discoverySrv === undefined ? [] : [flags.discoverySrv];
  const known = flags.discoveryMembers
    ? members({
        seeds,
        intervalMs: flags.membersIntervalMs,
        tls: () => certificates.files,
        auth: loadCredentials(flags, warn),
        serverNames,
        lookup: async host => (await resolver.lookup(host)).addresses,
        ...refresh,
      })
    : seeds;
  return {
    discovery: check ? validated(known, check, refresh) : known,
    unvalidated: known,
    certificates,
    serverNames,
    duplicates: listed?.duplicates ?? [],
    listed: listed?.endpoints.length ?? 0,
  };
}

/** The sets of a source, one after the other. */
export interface SourceWatch {
  /** The next set; undefined once there will be none. */
  next(): Promise<readonly Endpoint[] | undefined>;
  /** Resolves when each source has a set or has failed; rejects with a fault of the configuration. */
  readonly settled: Promise<void>;
  /** Asks all sources to look up their endpoints at once. */
  refresh(): void;
}

/** Watches `discovery` until `signal` is aborted. */
export function watchSources(discovery: Discovery, signal: AbortSignal): SourceWatch {
  const listeners = new Set<() => void>();
  const onRefresh = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  let onSettled = (_?: GatewayError): void => {};
  const settled = new Promise<void>((resolve, reject) => {
    onSettled = error => (error?.code.startsWith("invalid-") ? reject(error) : resolve());
  });
  // A caller that does not wait for it is not interested in the rejection.
  settled.catch(() => {});
  const sets = discovery.watch({ signal, onRefresh, onSettled })[Symbol.asyncIterator]();
  return {
    settled,
    async next() {
      const { done, value } = await sets.next();
      return done ? undefined : value;
    },
    refresh() {
      for (const listener of [...listeners]) listener();
    },
  };
}

/** How long the start waits for slow sources once there is a first set, in milliseconds. */
const settleMs = 3_000;

/**
 * The first set, as soon as there is one and all sources have answered, or after three seconds.
 *
 * @throws {GatewayError} a fault of the configuration; `aborted` if the watch ends before
 */
export async function firstSet(watch: SourceWatch): Promise<readonly Endpoint[]> {
  const failed = new Promise<never>((_, reject) => watch.settled.catch(reject));
  const first = await Promise.race([watch.next(), failed]);
  if (!first) throw new GatewayError("aborted", "stopped before any endpoint was known");
  const timer = new AbortController();
  const timeout = sleep(settleMs, systemClock, timer.signal);
  await Promise.race([watch.settled, timeout]).finally(() => timer.abort());
  return first;
}
