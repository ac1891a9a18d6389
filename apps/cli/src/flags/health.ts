import { checkDefaults, identityDefaults, probeDefaults, risingDefaults } from "@gw/health/defaults";
import { GatewayError, quote } from "@gw/interface";
import { proxyDefaults } from "@gw/tcpproxy";
import type { Values } from "./flag.js";
import { choice, duration, flag, number, orZero, text } from "./flag.js";

/** The values of `--health-check`; the first is the default. */
export const healthChoices = ["auto", "etcd", "http", "tls", "tcp", "off"] as const;

/** Which etcd cluster's members are used: an id, or one of these words; the first is the default. */
const clusterIdWords = ["auto", "off"] as const;

/** A flag of all commands that find endpoints. */
export const clusterIdFlag = flag<string>(
  "<id>",
  {
    name: "cluster-id",
    group: "Health checks",
    help: "id of the etcd cluster to use, auto or off",
    byDefault: clusterIdWords[0],
  },
  parseClusterId,
);

/** The flags of one check. */
export const probeFlags = {
  healthCheck: choice("<type>", healthChoices, {
    name: "health-check",
    group: "Health checks",
    help: "health check type; auto: etcd if spoken, else a connection",
    byDefault: healthChoices[0],
  }),
  healthTimeoutMs: duration({
    name: "health-timeout",
    group: "Health checks",
    help: "timeout of one check",
    byDefault: probeDefaults.timeoutMs,
  }),
  healthPath: text("<path>", {
    name: "health-path",
    group: "Health checks",
    help: "path to request instead of /readyz and /health",
  }),
  healthPort: number(65_535, {
    name: "health-port",
    group: "Health checks",
    help: "port of the check, such as etcd's metrics port",
    byDefault: "the endpoint's own",
  }),
  healthUrl: text("<url>", {
    name: "health-url",
    group: "Health checks",
    help: "URL of the check, with {host} or {port}",
  }),
};

/** The flags of health checks. */
export const healthFlags = {
  healthCheck: probeFlags.healthCheck,
  healthIntervalMs: duration({
    name: "health-interval",
    group: "Health checks",
    help: "time between checks of an endpoint with silent connections",
    byDefault: checkDefaults.intervalMs,
  }),
  healthRise: number(100, {
    name: "health-rise",
    group: "Health checks",
    help: "consecutive successful checks before an endpoint is marked up",
    byDefault: String(risingDefaults.rise),
  }),
  healthFall: number(100, {
    name: "health-fall",
    group: "Health checks",
    help: "consecutive failed checks before an endpoint is marked down",
    byDefault: String(checkDefaults.fall),
  }),
  stallTimeoutMs: duration(
    {
      name: "stall-timeout",
      group: "Health checks",
      help: "time without an answer before a check, 0: off",
      byDefault: proxyDefaults.stallTimeoutMs,
    },
    orZero,
  ),
  healthTimeoutMs: probeFlags.healthTimeoutMs,
  healthPath: probeFlags.healthPath,
  healthPort: probeFlags.healthPort,
  healthUrl: probeFlags.healthUrl,
  clusterId: clusterIdFlag,
  clusterIdHoldMs: duration({
    name: "cluster-id-hold",
    group: "Health checks",
    help: "time until a rebuilt cluster's new id is accepted",
    byDefault: identityDefaults.holdMs,
  }),
};

/** Values of the flags of health checks; undefined where one is not given. */
export type HealthFlags = Values<typeof healthFlags>;

/** The id of the only cluster that may be used; undefined if there is none. */
export function pinnedClusterId({ clusterId }: Pick<HealthFlags, "clusterId">): string | undefined {
  return clusterIdWords.some(word => word === clusterId) ? undefined : clusterId;
}

/** Whether endpoints are asked for the id of their cluster. */
export function canIdentify({ clusterId, healthCheck = healthChoices[0] }: HealthFlags): boolean {
  return clusterId !== "off" && (healthCheck === "auto" || healthCheck === "etcd");
}

/** Reads an id as etcd logs it. JSON has the same number in decimal, which nearly always has too many digits for hexadecimal. */
function parseClusterId(given: string): string {
  if (clusterIdWords.some(word => word === given)) return given;
  const digits = /^(?:0x)?0*(?<digits>[0-9a-f]{1,16})$/i.exec(given)?.groups?.["digits"];
  if (digits !== undefined && digits !== "0") return digits.toLowerCase();
  const decimal = /^\d{17,20}$/.test(given) ? BigInt(given) : 0n;
  const hint = decimal > 0n && decimal < 2n ** 64n ? `; in hexadecimal it is ${decimal.toString(16)}` : "";
  throw new GatewayError(
    "invalid-option",
    `${quote(given)} is neither auto nor off nor a cluster id in hexadecimal, as in etcd's log${hint}`,
  );
}
