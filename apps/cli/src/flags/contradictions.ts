import { refreshDefaults } from "@gw/discovery";
import { type Endpoint, GatewayError, quote } from "@gw/interface";
import { poolDefaults } from "@gw/selector";
import type { LoadedSelector } from "../compose/selector.js";
import type { DiscoveryFlags } from "./discovery.js";
import { formatDuration } from "./duration.js";
import { canIdentify, type HealthFlags, healthChoices, pinnedClusterId } from "./health.js";
import type { CheckFlags, StartFlags } from "./table.js";

// A flag that has no effect without another, or with another, is a mistake: what it should do would be missed.

/**
 * Throws if flags of `gw start` contradict each other.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function rejectStartContradictions(flags: StartFlags): void {
  const { retryDelayMs: least = poolDefaults.retryDelayMs, maxRetryDelayMs: most = Infinity } = flags;
  if (most < least)
    throw invalid(
      `--max-retry-delay ${formatDuration(most)} is less than --retry-delay ${formatDuration(least)}`,
    );
  rejectCheckContradictions(flags);
  rejectIdentityContradictions(flags);
  if (flags.adminActions && !flags.adminAddr)
    throw invalid("--admin-actions does nothing without --admin-addr");
  if (flags.healthCheck !== "off") return;
  for (const [given, name] of [
    [flags.onUnhealthy, "--on-unhealthy"],
    [flags.panicThreshold, "--panic-threshold"],
  ])
    if (given !== undefined) throw invalid(`${name} does nothing with --health-check off`);
}

/**
 * Throws if flags of `gw check` contradict each other.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function rejectCheckContradictions(flags: CheckFlags & HealthFlags): void {
  rejectHealthContradictions(flags);
  rejectDiscoveryContradictions(flags, flags.healthCheck !== "off" && flags.healthCheck !== "tcp");
}

/**
 * Throws if flags of discovery contradict each other.
 *
 * @param hasHealthChecks whether there are health checks that use the client certificate
 * @throws {GatewayError} `invalid-option`
 */
export function rejectDiscoveryContradictions(flags: DiscoveryFlags, hasHealthChecks: boolean): void {
  const needs = (given: unknown, name: string, other: unknown, otherName: string): void => {
    if (given !== undefined && given !== false && (other === undefined || other === false))
      throw invalid(`${name} does nothing without ${otherName}`);
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
    hasHealthChecks || (flags.trustedCaFile ?? flags.discoveryMembers),
    "--trusted-ca-file, --discovery-members or a --health-check that uses it",
  );
  const {
    discoveryMinRefreshMs: least = refreshDefaults.minRefreshMs,
    discoveryMaxRefreshMs: most = refreshDefaults.maxRefreshMs,
  } = flags;
  if (least > most)
    throw invalid(
      `--discovery-min-refresh ${formatDuration(least)} is more than --discovery-max-refresh ${formatDuration(most)}`,
    );
  const [one, other] = Object.entries({
    "--etcd-user": flags.etcdUser,
    "--etcd-user-file": flags.etcdUserFile,
    "--etcd-token": flags.etcdToken,
    "--etcd-token-file": flags.etcdTokenFile,
  }).flatMap(([name, given]) => (given === undefined ? [] : name));
  if (other !== undefined) throw invalid(`${one} and ${other} exclude each other`);
}

/**
 * Throws if there is a CA and no endpoint can have a certificate: the CA would protect nothing.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function rejectNothingToValidate(flags: DiscoveryFlags, listed: readonly Endpoint[]): void {
  const mayBeSecure =
    flags.discoverySrv !== undefined ||
    flags.endpointsFile !== undefined ||
    flags.discoveryMembers ||
    listed.some(({ secure }) => secure);
  if (mayBeSecure) return;
  throw invalid(
    `--trusted-ca-file ${quote(flags.trustedCaFile ?? "")} has nothing to check: no endpoint is written as https://`,
  );
}

/**
 * Throws if connections should be moved to other endpoints, and the selector keeps them at one.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function rejectRebalance(
  { rebalance = 0 }: StartFlags,
  { name, sticky, selector }: Pick<LoadedSelector, "name" | "sticky" | "selector">,
): void {
  if (rebalance > 0 && sticky && !selector.target)
    throw invalid(`--rebalance does nothing with --selector ${name}, which keeps to one endpoint`);
}

function rejectHealthContradictions(flags: HealthFlags): void {
  const { healthCheck: type = healthChoices[0] } = flags;
  const rejectIfGiven = (given: unknown, name: string): void => {
    if (given !== undefined) throw invalid(`${name} does nothing with --health-check ${type}`);
  };
  if (type === "off") {
    rejectIfGiven(flags.healthIntervalMs, "--health-interval");
    rejectIfGiven(flags.healthTimeoutMs, "--health-timeout");
    rejectIfGiven(flags.healthRise, "--health-rise");
    rejectIfGiven(flags.healthFall, "--health-fall");
    rejectIfGiven(flags.stallTimeoutMs, "--stall-timeout");
  }
  if (type === "off" || type === "tcp" || type === "tls") {
    rejectIfGiven(flags.healthPath, "--health-path");
    rejectIfGiven(flags.healthPort, "--health-port");
    rejectIfGiven(flags.healthUrl, "--health-url");
  }
  if (flags.healthPort !== undefined && flags.healthUrl !== undefined)
    throw invalid("--health-port and --health-url exclude each other");
}

function rejectIdentityContradictions(flags: HealthFlags): void {
  const pinned = pinnedClusterId(flags);
  if (pinned !== undefined && !canIdentify(flags))
    throw invalid(
      `--cluster-id ${pinned} cannot be verified with --health-check ${flags.healthCheck}, which does not ask etcd; use auto or etcd`,
    );
  if (flags.clusterIdHoldMs === undefined) return;
  if (pinned !== undefined || flags.clusterId === "off")
    throw invalid(`--cluster-id-hold does nothing with --cluster-id ${flags.clusterId}`);
  if (flags.healthCheck === "off") throw invalid("--cluster-id-hold does nothing with --health-check off");
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
