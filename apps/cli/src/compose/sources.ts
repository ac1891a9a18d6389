import { isIP, type Socket } from "node:net";
import {
  type DnsClient,
  file,
  members,
  merge,
  parseEndpoints,
  srv,
  staticEndpoints,
  validated,
} from "@gw/discovery";
import type { Discovery, Endpoint, Observer } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import { firstOutcomes } from "../first-outcomes.js";
import { refuseContradictions, refuseNothingToCheck } from "../flags/contradictions.js";
import { type DiscoveryFlags, defaultEndpoints } from "../flags/discovery.js";
import { type Certificates, loadCertificates, type TlsFiles } from "./certificates.js";
import { loadCredentials } from "./credentials.js";
import { createNames } from "./resolver.js";

/** Where endpoints come from, put together as the flags say. */
export interface Sources {
  readonly discovery: Discovery;
  /** The same before certificates are checked. */
  readonly unchecked: Discovery;
  /**
   * Resolves when each source that is watched has told a set or a failure. Rejects when one has a fault that waiting
   * cannot mend.
   */
  readonly settled: Promise<void>;
  /** Resolves hosts; see {@link Names.lookup}. */
  readonly lookup: Lookup;
  /** Asks for SRV records; undefined where nothing is watched. */
  readonly dns: DnsClient | undefined;
  /** Whether an endpoint may serve by its certificate; undefined where none was demanded. */
  readonly check: ((endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>) | undefined;
  /** What the certificate files hold now. */
  readonly tls: TlsFiles;
  /** Names that a certificate may carry in place of the endpoint's host: the discovery domain. */
  readonly serverNames: readonly string[];
  /** Endpoints that were listed more than once, `host:port`. */
  readonly duplicates: readonly string[];
  /** Forgets what DNS said. */
  forget(): void;
  /**
   * Reads certificate files again, and forgets what DNS said.
   *
   * @throws {GatewayError} `invalid-option` if a file cannot be used; then what was read before holds
   */
  reload(): void;
  /** See {@link Certificates.follow}. */
  readonly followCertificates: Certificates["follow"];
}

/** What sources warn of: an event of the log. */
export type SourceWarning = "address rejected" | "credentials exposed" | "credentials invalid";

/** What the sources need of the rest of the gateway. */
export interface SourcesContext {
  readonly observer: Observer;
  /** Connects to an endpoint. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;
  /** What should be seen to, and keeps nothing from working, in a sentence. */
  readonly warn: (event: SourceWarning, why: string) => void;
  /** Endpoints are asked how they are, which they may want a client certificate for. @default false */
  readonly healthChecked?: boolean;
}

/**
 * Puts the sources together: their union, with `--discovery-members` only the way to the cluster, which then
 * tells its members itself; and with `--trusted-ca-file` only what proves to be of that CA.
 *
 * @throws {GatewayError} of the configuration's codes; `name-not-resolved` for the name of a DNS server
 */
export async function createSources(flags: DiscoveryFlags, context: SourcesContext): Promise<Sources> {
  refuseContradictions(flags, context.healthChecked);
  const asked = [flags.endpointsFile, flags.discoverySrv].filter(given => given !== undefined).length;
  const watched = asked + (flags.discoveryMembers ? 1 : 0);
  const { observer, settled } = firstOutcomes(context.observer, watched);
  const listed = listedEndpoints(flags);
  // What is watched may name hosts at any time.
  const named =
    watched > 0 || listed?.endpoints.some(({ host }) => isIP(host) === 0 && !/localhost\.?$/.test(host));
  const names = await createNames(flags, named ?? false, context.warn);
  const { lookup } = names;
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
        // Who names a CA wants TLS.
        insecure: flags.insecureDiscovery ?? (flags.trustedCaFile === undefined ? undefined : false),
        dns: names.dns(),
        ...refresh,
      }),
    );
  const seeds = sources.length === 1 && sources[0] ? sources[0] : merge(sources, { observer });

  const certificates = await loadCertificates(flags, context.dial);
  const { check } = certificates;
  if (check) refuseNothingToCheck(flags, listed?.endpoints ?? []);

  const serverNames = flags.discoverySrv === undefined ? [] : [flags.discoverySrv];
  const known = flags.discoveryMembers
    ? members({
        seeds,
        intervalMs: flags.membersIntervalMs,
        tls: () => certificates.files,
        auth: loadCredentials(flags, context.warn),
        serverNames,
        lookup: async host => (await lookup(host)).addresses,
        ...refresh,
      })
    : seeds;
  return {
    discovery: check ? validated(known, check, refresh) : known,
    unchecked: known,
    settled,
    lookup,
    dns: watched > 0 ? names.dns() : undefined,
    check,
    get tls() {
      return certificates.files;
    },
    serverNames,
    duplicates: listed?.duplicates ?? [],
    forget: names.forget,
    reload() {
      names.forget();
      certificates.reload();
    },
    followCertificates: certificates.follow,
  };
}

/** What `--endpoints` says, or the default where there is no other source. */
function listedEndpoints(flags: DiscoveryFlags): ReturnType<typeof parseEndpoints> | undefined {
  const otherSource = flags.endpointsFile !== undefined || flags.discoverySrv !== undefined;
  const list = flags.endpoints?.join(",") ?? (otherSource ? undefined : defaultEndpoints);
  return list === undefined ? undefined : parseEndpoints(list);
}
