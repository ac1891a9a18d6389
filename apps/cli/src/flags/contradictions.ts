import { refreshDefaults } from "@gw/discovery";
import { type Endpoint, GatewayError, quote } from "@gw/interface";
import { poolDefaults } from "@gw/selector";
import type { StartFlags } from "./commands.js";
import type { DiscoveryFlags } from "./discovery.js";
import { formatDuration } from "./duration.js";

/**
 * A flag that has no effect without another is a mistake, and what it was meant to do would be missed.
 *
 * @param healthChecked whether endpoints are asked how they are, with the client certificate
 * @throws {GatewayError} `invalid-option`
 */
export function refuseContradictions(flags: DiscoveryFlags, healthChecked = false): void {
  const needs = (given: unknown, name: string, other: unknown, otherName: string): void => {
    if (given !== undefined && given !== false && (other === undefined || other === false))
      throw new GatewayError("invalid-option", `${name} does nothing without ${otherName}`);
  };
  needs(flags.discoverySrvName, "--discovery-srv-name", flags.discoverySrv, "--discovery-srv");
  needs(flags.insecureDiscovery, "--insecure-discovery", flags.discoverySrv, "--discovery-srv");
  needs(flags.dnsServers, "--dns-server", flags.discoverySrv, "--discovery-srv");
  needs(flags.membersIntervalMs, "--members-interval", flags.discoveryMembers, "--discovery-members");
  needs(flags.etcdUser, "--etcd-user", flags.discoveryMembers, "--discovery-members");
  needs(flags.etcdUserFile, "--etcd-user-file", flags.discoveryMembers, "--discovery-members");
  needs(flags.etcdToken, "--etcd-token", flags.discoveryMembers, "--discovery-members");
  needs(flags.etcdTokenFile, "--etcd-token-file", flags.discoveryMembers, "--discovery-members");
  needs(
    flags.certFile,
    "--cert-file",
    healthChecked || (flags.trustedCaFile ?? flags.discoveryMembers),
    "--trusted-ca-file, --discovery-members or a --health-check that uses it",
  );
  const {
    discoveryMinRefreshMs: least = refreshDefaults.minRefreshMs,
    discoveryMaxRefreshMs: most = refreshDefaults.maxRefreshMs,
  } = flags;
  if (least > most)
    throw new GatewayError(
      "invalid-option",
      `--discovery-min-refresh ${formatDuration(least)} is more than --discovery-max-refresh ${formatDuration(most)}`,
    );
  const [one, other] = Object.entries({
    "--etcd-user": flags.etcdUser,
    "--etcd-user-file": flags.etcdUserFile,
    "--etcd-token": flags.etcdToken,
    "--etcd-token-file": flags.etcdTokenFile,
  }).flatMap(([name, given]) => (given === undefined ? [] : name));
  if (other !== undefined) throw new GatewayError("invalid-option", `${one} and ${other} exclude each other`);
}

/**
 * A CA demands that endpoints are checked; where none can ever be, it protects nothing.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function refuseNothingToCheck(flags: DiscoveryFlags, listed: readonly Endpoint[]): void {
  const mayBeSecure =
    flags.discoverySrv !== undefined ||
    flags.endpointsFile !== undefined ||
    flags.discoveryMembers ||
    listed.some(({ secure }) => secure);
  if (mayBeSecure) return;
  throw new GatewayError(
    "invalid-option",
    `--trusted-ca-file ${quote(flags.trustedCaFile ?? "")} has nothing to check: no endpoint is written as https://`,
  );
}

/**
 * The same for what `gw start` alone has.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function refusePoolContradictions(flags: StartFlags): void {
  const { retryDelayMs: least = poolDefaults.retryDelayMs, maxRetryDelayMs: most = Infinity } = flags;
  if (most < least)
    throw new GatewayError(
      "invalid-option",
      `--max-retry-delay ${formatDuration(most)} is less than --retry-delay ${formatDuration(least)}`,
    );
  if (flags.healthCheck !== "off") return;
  for (const [given, name] of [
    [flags.onUnhealthy, "--on-unhealthy"],
    [flags.panicThreshold, "--panic-threshold"],
  ])
    if (given !== undefined)
      throw new GatewayError("invalid-option", `${name} does nothing with --health-check off`);
}

/**
 * To move connections away from where the policy keeps them is in vain.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function refuseInVain({ name, sticky }: { readonly name: string; readonly sticky?: true }): void {
  if (!sticky) return;
  throw new GatewayError(
    "invalid-option",
    `--rebalance does nothing with --selector ${name}, which keeps to one endpoint`,
  );
}
