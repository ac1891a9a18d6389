import { membersDefaults, parseEndpoints, refreshDefaults } from "@gw/discovery";
import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import type { Option } from "commander";
import { formatDuration } from "./duration.js";
import { booleanFlag, durationFlag, flag, parsing, repeatable, text } from "./flag.js";

/** What the user said about where endpoints come from; undefined where nothing was said. */
export interface DiscoveryFlags {
  readonly endpoints?: readonly string[];
  readonly endpointsFile?: string;
  readonly discoverySrv?: string;
  readonly discoverySrvName?: string;
  readonly insecureDiscovery?: boolean;
  readonly dnsServer?: readonly Address[];
  readonly discoveryMembers?: boolean;
  readonly membersInterval?: number;
  readonly etcdUser?: string;
  readonly etcdUserFile?: string;
  readonly etcdToken?: string;
  readonly etcdTokenFile?: string;
  readonly discoveryMinRefresh?: number;
  readonly discoveryMaxRefresh?: number;
  readonly discoveryEmptyAfter?: number;
  readonly trustedCaFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Where etcd is when nobody says; that of `etcd gateway`. */
export const defaultEndpoints = "127.0.0.1:2379";

/** The flags that say where endpoints come from. */
export function discoveryFlags(): Option[] {
  return [
    flag(
      "--endpoints <list>",
      "etcd endpoints, comma-separated, repeatable",
      `${defaultEndpoints} where no other source is given`,
    ).argParser(endpointList),
    flag("--endpoints-file <file>", "JSON or YAML file that lists endpoints, watched").argParser(text),
    flag("--discovery-srv <domain>", "DNS domain whose SRV records name the endpoints").argParser(text),
    flag("--discovery-srv-name <name>", "suffix of the SRV service names").argParser(text),
    booleanFlag(
      "--insecure-discovery",
      "use SRV records without TLS (_etcd-client) as well; false: never",
      "only while there are none with TLS and no CA is given",
    ),
    flag(
      "--dns-server <address>",
      "DNS server for SRV records and the hosts that they name, repeatable",
      "the system's",
    ).argParser(repeatable(parseDnsServer)),
    durationFlag(
      "--discovery-min-refresh",
      "least time between two look-ups, whatever the TTL",
      formatDuration(refreshDefaults.minRefreshMs),
    ),
    durationFlag(
      "--discovery-max-refresh",
      "longest time between two look-ups, whatever the TTL",
      formatDuration(refreshDefaults.maxRefreshMs),
    ),
    durationFlag(
      "--discovery-empty-after",
      "believe DNS after this time that there are no endpoints",
      "never, the last ones are kept",
    ),
    booleanFlag(
      "--discovery-members",
      "ask the cluster itself for its members; the endpoints given are where to ask",
    ),
    durationFlag(
      "--members-interval",
      "how often the cluster is asked for its members",
      formatDuration(membersDefaults.intervalMs),
    ),
    flag(
      "--etcd-user <name:password>",
      "user to ask for the members where etcd has authentication on",
    ).argParser(text),
    flag("--etcd-user-file <file>", "file with name:password in it, read before each use").argParser(text),
    flag("--etcd-token <token>", "bearer token to ask for the members with, in place of a user").argParser(
      text,
    ),
    flag("--etcd-token-file <file>", "file with a bearer token in it, read before each use").argParser(text),
    flag(
      "--trusted-ca-file <file>",
      "CA that endpoints with TLS must have their certificate from, in PEM",
    ).argParser(text),
    flag("--cert-file <file>", "client certificate for clusters that demand one, in PEM").argParser(text),
    flag("--key-file <file>", "key of the client certificate, in PEM").argParser(text),
  ];
}

function endpointList(list: string, before: readonly string[] | undefined): readonly string[] {
  parsing(parseEndpoints)(list);
  return [...(before ?? []), list];
}

function parseDnsServer(address: string): Address {
  try {
    return parseAddress(address, { defaultPort: 53 });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `DNS server ${quote(address)}: ${error.detail}`);
  }
}
