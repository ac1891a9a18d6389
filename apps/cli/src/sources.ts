import { isIP, type Socket } from "node:net";
import {
  createDnsClient,
  type DnsClient,
  file,
  members,
  merge,
  parseEndpoints,
  srv,
  staticEndpoints,
  validated,
} from "@gw/discovery";
import {
  type Address,
  type Discovery,
  type Endpoint,
  GatewayError,
  type Observer,
  quote,
} from "@gw/interface";
import { type Lookup, systemLookup } from "@gw/tcpproxy";
import { loadCertificates } from "./certificates.js";
import { refuseContradictions, refuseNothingToCheck } from "./contradictions.js";
import { loadCredentials } from "./credentials.js";
import { type DiscoveryFlags, defaultEndpoints } from "./discovery-flags.js";
import { firstOutcomes } from "./first-outcomes.js";
import type { TlsFiles } from "./tls-files.js";

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
  /** Resolves hosts: those with a trailing dot by DNS, as SRV targets are meant; others as the system does. */
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
  /**
   * Reads certificate files again, and forgets what DNS said.
   *
   * @throws {GatewayError} `invalid-option` if a file cannot be used; then what was read before holds
   */
  reload(): void;
}

/** What the sources need of the rest of the gateway. */
export interface SourcesContext {
  readonly observer: Observer;
  /** Connects to an endpoint. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;
  /** What should be seen to, and keeps nothing from working, in a sentence. */
  readonly onWarning: (why: string) => void;
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
  const dnsOptions = { servers: await addressesOf(flags.dnsServer) };
  // What is watched may name an absolute host at any time; a client is made while it can still be loaded.
  let dns = watched > 0 ? createDnsClient(dnsOptions) : undefined;
  const lookup: Lookup = host => {
    if (!host.endsWith(".")) return systemLookup(host);
    dns ??= createDnsClient(dnsOptions);
    return dns.addresses(host);
  };
  const refresh = {
    minRefreshMs: flags.discoveryMinRefresh,
    maxRefreshMs: flags.discoveryMaxRefresh,
    emptyAfterMs: flags.discoveryEmptyAfter,
    observer,
  };
  const listed = listedEndpoints(flags);
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
        dns,
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
        intervalMs: flags.membersInterval,
        tls: () => certificates.files,
        auth: loadCredentials(flags, context.onWarning),
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
    dns,
    check,
    get tls() {
      return certificates.files;
    },
    serverNames,
    duplicates: listed?.duplicates ?? [],
    reload() {
      dns?.forget();
      certificates.reload();
    },
  };
}

/** DNS servers by IP address; one that is given by its name is whatever the system takes it for now. */
async function addressesOf(servers: readonly Address[] | undefined): Promise<readonly Address[] | undefined> {
  if (!servers) return undefined;
  const resolve = async ({ host, port }: Address): Promise<readonly Address[]> => {
    if (isIP(host)) return [{ host, port }];
    const { addresses } = await systemLookup(host).catch((cause: unknown) => {
      throw GatewayError.from(cause, `look up the DNS server ${quote(host)}`);
    });
    return addresses.map(address => ({ host: address, port }));
  };
  return (await Promise.all(servers.map(resolve))).flat();
}

/** What `--endpoints` says, or the default where there is no other source. */
function listedEndpoints(flags: DiscoveryFlags): ReturnType<typeof parseEndpoints> | undefined {
  const otherSource = flags.endpointsFile !== undefined || flags.discoverySrv !== undefined;
  const list = flags.endpoints?.join(",") ?? (otherSource ? undefined : defaultEndpoints);
  return list === undefined ? undefined : parseEndpoints(list);
}
