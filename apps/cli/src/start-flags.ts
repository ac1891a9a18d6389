import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import { type Farewell, poolDefaults } from "@gw/selector";
import { defaultMaxAttempts, dialerDefaults, keepAliveLimits, proxyDefaults } from "@gw/tcpproxy";
import type { Option } from "commander";
import { builtInSelectors, defaultSelector } from "./built-in-selectors.js";
import { type RelayChoice, relayChoices } from "./choose-relay.js";
import { type DiscoveryFlags, discoveryFlags } from "./discovery-flags.js";
import { formatDuration, parseDuration } from "./duration.js";
import { atMost, durationFlag, flag, number, orZero, repeatable, share, variable } from "./flag.js";
import { type HealthFlags, healthFlags } from "./health-flags.js";
import { logLevels } from "./log.js";

/** What the user said about `gw start`; undefined where nothing was said. */
export interface StartFlags extends DiscoveryFlags, HealthFlags {
  readonly listenAddr?: readonly Address[];
  readonly retryDelay?: number;
  readonly maxRetryDelay?: number;
  readonly connectTimeout?: number;
  readonly maxConnections?: number;
  readonly maxConnectAttempts?: number;
  readonly onUnhealthy?: Farewell;
  readonly panicThreshold?: number;
  readonly onRemoved?: Farewell;
  readonly drainTimeout?: number;
  readonly maxConnectionAge?: number;
  readonly rebalance?: number;
  readonly shutdownGrace?: number;
  readonly idleTimeout?: number;
  readonly halfCloseTimeout?: number;
  readonly writeTimeout?: number;
  readonly keepaliveDelay?: number;
  readonly keepaliveInterval?: number;
  readonly keepaliveProbes?: number;
  readonly userTimeout?: number;
  readonly relay?: RelayChoice;
  readonly relayThreads?: number;
  readonly selector?: string;
  readonly logLevel?: string;
  readonly logFormat?: "json" | "text";
}

/** What holds where no package owns the setting. The address is that of `etcd gateway`. */
export const startDefaults = {
  listen: [{ host: "127.0.0.1", port: 23790 }] as readonly Address[],
  shutdownGraceMs: 10_000,
  logLevel: "info",
};

/** The environment variables that are read. */
export function startVariables(): string[] {
  return startFlags().map(variable);
}

/** The flags of `gw start`. */
export function startFlags(): Option[] {
  const [endpoints, ...sources] = discoveryFlags();
  return [
    ...(endpoints ? [endpoints] : []),
    listenFlag(),
    durationFlag(
      "--retry-delay",
      "how long a failed endpoint is set aside before it is tried again",
      formatDuration(poolDefaults.retryDelayMs),
    ),
    durationFlag(
      "--max-retry-delay",
      "how long that becomes at most for an endpoint that fails again and again, each time twice as long",
      formatDuration(poolDefaults.maxRetryDelayMs),
    ),
    connectTimeoutFlag(),
    flag(
      "--max-connect-attempts <number>",
      "endpoints to try for one client before it is closed",
      String(defaultMaxAttempts),
    ).argParser(number(10_000)),
    flag(
      "--max-connections <number>",
      "refuse more clients than this",
      "what ulimit -n allows, the most in any case",
    ).argParser(number(999_999_999)),
    flag(
      "--selector <name>",
      `policy that picks endpoints: ${Object.keys(builtInSelectors).join(", ")}, a package, or a path; options follow as NAME:key=value,…`,
      defaultSelector,
    ),
    ...sources,
    ...healthFlags(),
    flag(
      "--on-unhealthy <what>",
      "what happens to open connections of an endpoint that health checks have set aside",
      poolDefaults.onUnhealthy,
    ).choices(farewells),
    flag(
      "--panic-threshold <share>",
      "ignore health checks that have set aside more than this share of the endpoints",
      percent(poolDefaults.panicThreshold),
    ).argParser(share),
    flag(
      "--on-removed <what>",
      "what happens to open connections of an endpoint that is gone",
      poolDefaults.onRemoved,
    ).choices(farewells),
    durationFlag(
      "--drain-timeout",
      "how long such connections may go on when drained",
      formatDuration(poolDefaults.drainTimeoutMs),
    ),
    durationFlag(
      "--max-connection-age",
      "close connections at this age, a tenth more or less, so that they are made anew, 0 for never",
      String(poolDefaults.maxConnectionAgeMs),
      orZero,
    ),
    flag(
      "--rebalance <share>",
      "share of connections to move in a minute to endpoints that carry too few, as after an outage",
      percent(poolDefaults.rebalance),
    ).argParser(share),
    durationFlag(
      "--shutdown-grace",
      "how long open connections may go on after SIGTERM or SIGINT",
      formatDuration(startDefaults.shutdownGraceMs),
    ),
    durationFlag(
      "--idle-timeout",
      "reset a connection without a byte for this long, 0 for never",
      String(proxyDefaults.idleTimeoutMs),
      orZero,
    ),
    durationFlag(
      "--half-close-timeout",
      "the same, once one side has ended its output",
      formatDuration(proxyDefaults.halfCloseTimeoutMs),
      orZero,
    ),
    durationFlag(
      "--write-timeout",
      "reset a connection of which one side takes nothing of what waits for it for this long",
      formatDuration(proxyDefaults.writeTimeoutMs),
      orZero,
    ),
    durationFlag(
      "--keepalive-delay",
      "send TCP keepalive probes after this time without traffic, 0 for never",
      formatDuration(proxyDefaults.keepAliveDelayMs),
      atMost(keepAliveLimits.keepAliveDelayMs ?? Infinity, orZero),
    ),
    durationFlag(
      "--keepalive-interval",
      "time between two probes (native relay)",
      formatDuration(proxyDefaults.keepAliveIntervalMs),
      atMost(keepAliveLimits.keepAliveIntervalMs ?? Infinity, parseDuration),
    ),
    flag(
      "--keepalive-probes <number>",
      "how many probes may go unanswered (native relay)",
      String(proxyDefaults.keepAliveProbes),
    ).argParser(number(keepAliveLimits.keepAliveProbes ?? 127)),
    durationFlag(
      "--user-timeout",
      "for how long sent bytes may go unacknowledged, 0 as the system does (native relay)",
      `${formatDuration(proxyDefaults.userTimeoutMs)}, or as long as keepalive takes`,
      orZero,
    ),
    flag("--relay <which>", "what moves the bytes: in C, or in TypeScript", relayChoices[0]).choices(
      relayChoices,
    ),
    flag("--relay-threads <number>", "threads of the native relay", "one per core").argParser(number(64)),
    flag("--log-level <level>", "least level to log", startDefaults.logLevel).choices(logLevels),
    flag(
      "--log-format <format>",
      "log lines for machines or for people",
      "text on a terminal, else json",
    ).choices(["json", "text"]),
  ];
}

export function connectTimeoutFlag(): Option {
  return durationFlag(
    "--connect-timeout",
    "how long an endpoint may take to accept a connection",
    formatDuration(dialerDefaults.connectTimeoutMs),
  );
}

const farewells = ["drain", "close", "leave"];

function percent(part: number): string {
  return `${part * 100}%`;
}

/** `--listen-addr`, without its environment variable. */
export function listenFlag(): Option {
  return flag(
    "--listen-addr <address>",
    "address to accept clients on, repeatable",
    "127.0.0.1:23790",
  ).argParser(repeatable(parseListenAddress));
}

function parseListenAddress(text: string): Address {
  try {
    return parseAddress(text, { allowPortZero: true });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `listen address ${quote(text)}: ${error.detail}`);
  }
}
