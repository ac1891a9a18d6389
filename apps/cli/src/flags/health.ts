import { checkDefaults, probeDefaults, risingDefaults } from "@gw/health/defaults";
import { proxyDefaults } from "@gw/tcpproxy";
import type { Values } from "./flag.js";
import { choice, duration, number, orZero, text } from "./flag.js";

/** The values of `--health-check`; the first is the default. */
export const healthChoices = ["auto", "etcd", "http", "tls", "tcp", "off"] as const;

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
};

/** Values of the flags of health checks; undefined where one is not given. */
export type HealthFlags = Values<typeof healthFlags>;
