import { membersDefaults, parseEndpoints, refreshDefaults } from "@gw/discovery";
import { type Address, formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";
import type { Values } from "./flag.js";
import { boolean, duration, flag, list, text } from "./flag.js";

/** The default of `etcd gateway`. */
const defaultEndpoints = "127.0.0.1:2379";

/** The flags of endpoints and discovery. */
export const discoveryFlags = {
  endpoints: flag<readonly string[]>(
    "<list>",
    {
      name: "endpoints",
      group: "Endpoints",
      help: "etcd endpoints, comma-separated, repeatable",
      byDefault: `${defaultEndpoints} where no other source is given`,
    },
    (given, before) => {
      parseEndpoints(given);
      return [...(before ?? []), given];
    },
  ),
  endpointsFile: text("<file>", {
    name: "endpoints-file",
    group: "Endpoints",
    help: "JSON or YAML file of endpoints, watched",
  }),
  discoverySrv: text("<domain>", {
    name: "discovery-srv",
    group: "Discovery",
    help: "DNS domain whose SRV records name the endpoints",
  }),
  discoverySrvName: text("<name>", {
    name: "discovery-srv-name",
    group: "Discovery",
    help: "suffix of the SRV service names",
  }),
  insecureDiscovery: boolean({
    name: "insecure-discovery",
    group: "Discovery",
    help: "use of SRV records without TLS (_etcd-client); false: never",
    byDefault: "only while there are none with TLS and no CA is given",
  }),
  dnsServers: list<Address>(
    "<address>",
    {
      name: "dns-server",
      group: "Discovery",
      help: "DNS server for SRV records and their hosts, repeatable",
      byDefault: "the system's",
    },
    parseDnsServer,
  ),
  discoveryMinRefreshMs: duration({
    name: "discovery-min-refresh",
    group: "Discovery",
    help: "shortest time between two DNS look-ups, whatever the TTL",
    byDefault: refreshDefaults.minRefreshMs,
  }),
  discoveryMaxRefreshMs: duration({
    name: "discovery-max-refresh",
    group: "Discovery",
    help: "longest time between two DNS look-ups, whatever the TTL",
    byDefault: refreshDefaults.maxRefreshMs,
  }),
  discoveryEmptyAfterMs: duration({
    name: "discovery-empty-after",
    group: "Discovery",
    help: "time until an empty DNS answer removes all endpoints",
    byDefault: "never, the last answer stays in use",
  }),
  discoveryMembers: boolean({
    name: "discovery-members",
    group: "Discovery",
    help: "discovery from the member list of the cluster",
    byDefault: "false",
  }),
  membersIntervalMs: duration({
    name: "members-interval",
    group: "Discovery",
    help: "time between two requests for the member list",
    byDefault: membersDefaults.intervalMs,
  }),
  etcdUser: text("<name:password>", {
    name: "etcd-user",
    group: "Discovery",
    help: "user for the member list, with etcd authentication",
  }),
  etcdUserFile: text("<file>", {
    name: "etcd-user-file",
    group: "Discovery",
    help: "file with name:password, read before each use",
  }),
  etcdToken: text("<token>", {
    name: "etcd-token",
    group: "Discovery",
    help: "bearer token for the member list, instead of a user",
  }),
  etcdTokenFile: text("<file>", {
    name: "etcd-token-file",
    group: "Discovery",
    help: "file with a bearer token, read before each use",
  }),
  trustedCaFile: text("<file>", {
    name: "trusted-ca-file",
    group: "Discovery",
    help: "CA to verify endpoints with TLS, PEM",
  }),
  certFile: text("<file>", {
    name: "cert-file",
    group: "Discovery",
    help: "client certificate for clusters that require one, PEM",
  }),
  keyFile: text("<file>", {
    name: "key-file",
    group: "Discovery",
    help: "key of the client certificate, PEM",
  }),
};

/** The flags of discovery that only `gw start` has. */
export const stateFlags = {
  stateFile: flag<string>(
    "<file>",
    {
      name: "state-file",
      group: "Discovery",
      help: "file of last good endpoints, used without DNS; off: none",
      byDefault: "endpoints.json in $STATE_DIRECTORY where systemd sets it, else off",
    },
    given => (given === "" ? "off" : given),
  ),
};

/** Values of the flags of discovery; undefined where one is not given. */
export type DiscoveryFlags = Values<typeof discoveryFlags>;

/** The endpoints of `--endpoints`, or the default if there is no other source; undefined if there is one. */
export function listedEndpoints(flags: DiscoveryFlags): ReturnType<typeof parseEndpoints> | undefined {
  const hasOtherSource = flags.endpointsFile !== undefined || flags.discoverySrv !== undefined;
  const list = flags.endpoints?.join(",") ?? (hasOtherSource ? undefined : defaultEndpoints);
  return list === undefined ? undefined : parseEndpoints(list);
}

/** Where endpoints come from, as flags; the same text for the same sources. */
export function sourceText(flags: DiscoveryFlags): string {
  // With a CA, endpoints must have TLS.
  const insecure = flags.insecureDiscovery ?? (flags.trustedCaFile === undefined ? undefined : false);
  const given = {
    endpoints: listedEndpoints(flags)?.endpoints.map(formatAddress).join(","),
    "endpoints-file": flags.endpointsFile,
    "discovery-srv": flags.discoverySrv,
    "discovery-srv-name": flags.discoverySrvName,
    "insecure-discovery": flags.discoverySrv === undefined ? undefined : insecure,
  };
  return Object.entries(given)
    .flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]))
    .join(" ");
}

/** Whether there are endpoints besides those of `--endpoints`, which may change at any time. */
export function hasWatchedSource(flags: DiscoveryFlags): boolean {
  return (
    flags.endpointsFile !== undefined || flags.discoverySrv !== undefined || flags.discoveryMembers === true
  );
}

function parseDnsServer(address: string): Address {
  try {
    return parseAddress(address, { defaultPort: 53 });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `DNS server ${quote(address)}: ${error.detail}`);
  }
}
