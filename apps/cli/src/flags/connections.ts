import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import { keepAliveLimits, proxyDefaults } from "@gw/tcpproxy";
import { relayChoices } from "../compose/relay.js";
import { logLevels } from "../log/levels.js";
import { atMost, choice, duration, flag, list, number, orZero } from "./flag.js";

/** Defaults of settings that no package owns. The address is that of `etcd gateway`. */
export const startDefaults = {
  listenAddr: "127.0.0.1:23790",
  shutdownGraceMs: 10_000,
  logLevel: "info",
} as const;

/** The default of `--listen-addr`. */
export const defaultListen: readonly Address[] = [parseAddress(startDefaults.listenAddr)];

/** Where clients connect; `gw demo` has it too. */
export const listenFlags = {
  listen: list<Address>(
    "<address>",
    {
      name: "listen-addr",
      group: "Endpoints",
      help: "address for clients to connect to, repeatable",
      byDefault: startDefaults.listenAddr,
    },
    parseListenAddress,
  ),
};

/** The flags of connections, of the relay that carries them, and of the log. */
export const connectionFlags = {
  maxConnections: number(999_999_999, {
    name: "max-connections",
    group: "Connections",
    help: "limit above which new clients are refused",
    byDefault: "what ulimit -n allows, which is also the maximum",
  }),
  shutdownGraceMs: duration({
    name: "shutdown-grace",
    group: "Connections",
    help: "time for connections to end after SIGTERM or SIGINT",
    byDefault: startDefaults.shutdownGraceMs,
  }),
  idleTimeoutMs: duration(
    {
      name: "idle-timeout",
      group: "Connections",
      help: "time without a byte before a reset, 0: no limit",
      byDefault: String(proxyDefaults.idleTimeoutMs),
    },
    orZero,
  ),
  halfCloseTimeoutMs: duration(
    {
      name: "half-close-timeout",
      group: "Connections",
      help: "the same for half-closed connections, 0: no limit",
      byDefault: proxyDefaults.halfCloseTimeoutMs,
    },
    orZero,
  ),
  writeTimeoutMs: duration(
    {
      name: "write-timeout",
      group: "Connections",
      help: "longest time in which a peer accepts no pending data",
      byDefault: proxyDefaults.writeTimeoutMs,
    },
    orZero,
  ),
  keepAliveDelayMs: duration(
    {
      name: "keepalive-delay",
      group: "Connections",
      help: "idle time before TCP keepalive probes, 0: none",
      byDefault: proxyDefaults.keepAliveDelayMs,
    },
    atMost(keepAliveLimits.keepAliveDelayMs ?? Infinity, orZero),
  ),
  keepAliveIntervalMs: duration(
    {
      name: "keepalive-interval",
      group: "Connections",
      help: "time between two keepalive probes (native relay)",
      byDefault: proxyDefaults.keepAliveIntervalMs,
    },
    atMost(keepAliveLimits.keepAliveIntervalMs ?? Infinity),
  ),
  keepAliveProbes: number(keepAliveLimits.keepAliveProbes ?? 127, {
    name: "keepalive-probes",
    group: "Connections",
    help: "unanswered keepalive probes before a reset (native relay)",
    byDefault: String(proxyDefaults.keepAliveProbes),
  }),
  userTimeoutMs: duration(
    {
      name: "user-timeout",
      group: "Connections",
      help: "time for sent bytes to be acknowledged, 0: the system's",
      byDefault: `${proxyDefaults.userTimeoutMs / 60_000}m, or as long as keepalive takes`,
    },
    orZero,
  ),
  relay: choice("<name>", relayChoices, {
    name: "relay",
    group: "Relay",
    help: "relay in C (native) or TypeScript (js)",
    byDefault: relayChoices[0],
  }),
  relayThreads: number(64, {
    name: "relay-threads",
    group: "Relay",
    help: "threads of the native relay",
    byDefault: "one per core",
  }),
  logLevel: choice("<level>", logLevels, {
    name: "log-level",
    group: "Logging",
    help: "lowest level that is logged; debug includes each connection",
    byDefault: startDefaults.logLevel,
  }),
  logFormat: choice("<format>", ["json", "text"], {
    name: "log-format",
    group: "Logging",
    help: "format of log and access log",
    byDefault: "text on a terminal, else json",
  }),
  accessLog: flag<string>(
    "<file>",
    {
      name: "access-log",
      group: "Logging",
      help: "file for one line per connection, -: standard output",
      byDefault: "none",
    },
    given => {
      if (given !== "") return given;
      throw new GatewayError("invalid-option", "Give a file, or - for standard output");
    },
  ),
};

function parseListenAddress(text: string): Address {
  try {
    return parseAddress(text, { allowPortZero: true });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `listen address ${quote(text)}: ${error.detail}`);
  }
}
