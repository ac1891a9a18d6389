import { poolDefaults } from "@gw/selector";
import { defaultMaxAttempts, dialerDefaults } from "@gw/tcpproxy";
import { defaultSelector } from "../compose/selector.js";
import { choice, duration, flag, number, orZero, share } from "./flag.js";

/** What happens to open connections of an endpoint that is down or removed. */
const drainPolicies = ["drain", "close", "leave"] as const;

/** The one flag of failover that `gw check` has too. */
export const connectTimeoutMs = duration({
  name: "connect-timeout",
  group: "Failover",
  help: "time for an endpoint to accept a connection",
  byDefault: dialerDefaults.connectTimeoutMs,
});

/** The flags of selection and failover. */
export const failoverFlags = {
  selector: flag<string>(
    "<name>",
    {
      name: "selector",
      group: "Failover",
      help: "policy, package or path, with options as NAME:key=value,…",
      byDefault: defaultSelector,
    },
    given => given,
  ),
  retryDelayMs: duration({
    name: "retry-delay",
    group: "Failover",
    help: "time before an endpoint that is down is tried again",
    byDefault: poolDefaults.retryDelayMs,
  }),
  maxRetryDelayMs: duration({
    name: "max-retry-delay",
    group: "Failover",
    help: "longest retry delay; it doubles with each failure",
    byDefault: poolDefaults.maxRetryDelayMs,
  }),
  connectTimeoutMs,
  maxConnectAttempts: number(10_000, {
    name: "max-connect-attempts",
    group: "Failover",
    help: "limit of endpoints tried for one client",
    byDefault: String(defaultMaxAttempts),
  }),
  onUnhealthy: choice("<policy>", drainPolicies, {
    name: "on-unhealthy",
    group: "Failover",
    help: "drain policy for an endpoint that fails its checks",
    byDefault: poolDefaults.onUnhealthy,
  }),
  onRemoved: choice("<policy>", drainPolicies, {
    name: "on-removed",
    group: "Failover",
    help: "drain policy for an endpoint that was removed",
    byDefault: poolDefaults.onRemoved,
  }),
  drainTimeoutMs: duration({
    name: "drain-timeout",
    group: "Failover",
    help: "time for draining connections to end by themselves",
    byDefault: poolDefaults.drainTimeoutMs,
  }),
  panicThreshold: share({
    name: "panic-threshold",
    group: "Failover",
    help: "share of unhealthy endpoints above which checks are ignored",
    byDefault: poolDefaults.panicThreshold,
  }),
  rebalance: share({
    name: "rebalance",
    group: "Failover",
    help: "share of connections moved per minute to underused endpoints",
    byDefault: poolDefaults.rebalance,
  }),
  maxConnectionAgeMs: duration(
    {
      name: "max-connection-age",
      group: "Failover",
      help: "age (±10 %) at which connections are closed, 0: never",
      byDefault: String(poolDefaults.maxConnectionAgeMs),
    },
    orZero,
  ),
};
