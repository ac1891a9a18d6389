import {
  type Clock,
  GatewayError,
  type ListenTarget,
  type Observer,
  type Pool,
  type Relay,
  type RelaySettings,
} from "@gw/interface";
import type { Dialer } from "./dialer.js";

/** The options that are for the relay. */
type RelayOptions = Partial<Record<keyof RelaySettings, number | undefined>>;

/** Options of {@link createProxy}. */
export interface ProxyOptions extends RelayOptions {
  /**
   * Where to accept clients:
   *
   * - `{ host, port }`: at all addresses of a name. Port 0 takes a free port, the same for all addresses of one name
   * - `{ path }`: at a Unix socket that is created there, and removed by `close`. A socket file on which no process listens is
   *   replaced, no other file is. The umask decides who may connect, as for each file: with 022 this user alone
   * - `{ fd }`: at a TCP or Unix socket that listens already, as a service manager passes it on. It belongs to the proxy
   *
   * The last two are not for Windows.
   */
  readonly listen: readonly ListenTarget[];
  /** Chooses the endpoint of each connection; see {@link inOrder} and `@gw/selector`. */
  readonly pool: Pool;
  /**
   * Resolves names, and has the connect timeout. The proxy makes it avoid the addresses that it listens on.
   * @default createDialer()
   */
  readonly dialer?: Dialer | undefined;
  /** Accepts, dials and moves the bytes. @default jsRelay() */
  readonly relay?: Relay | undefined;
  /**
   * More clients than this are refused with a reset. Never more than the file descriptors allow.
   * @default what `ulimit -n` allows
   */
  readonly maxConnections?: number | undefined;
  /**
   * Endpoints that are tried for one client before it is closed. It bounds what a client costs while many endpoints are
   * down.
   * @default 16
   */
  readonly maxAttempts?: number | undefined;
  /** Up to 32767000. @default 30000 */
  readonly keepAliveDelayMs?: number | undefined;
  /** Up to 32767000. @default 10000 */
  readonly keepAliveIntervalMs?: number | undefined;
  /** Up to 127. @default 3 */
  readonly keepAliveProbes?: number | undefined;
  /**
   * Where it is shorter than `keepAliveDelayMs` + `keepAliveProbes` × `keepAliveIntervalMs`, a silent peer is given up
   * after fewer probes.
   * @default 60000, or as long as keepalive takes to give up if that is longer
   */
  readonly userTimeoutMs?: number | undefined;
  /** @default 0 (never) */
  readonly idleTimeoutMs?: number | undefined;
  /** @default 600000 */
  readonly halfCloseTimeoutMs?: number | undefined;
  /** @default 300000 */
  readonly writeTimeoutMs?: number | undefined;
  /**
   * `Lease.stalled` is called when a client waits longer than this for an answer, and `Lease.abandoned` when one leaves
   * that has waited for two fifths of it. Nothing is closed. 0: never.
   * @default 2000
   */
  readonly stallTimeoutMs?: number | undefined;
  /** Receives the events of connections. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Draws when and how loops through other gateways are checked for. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Defaults of {@link ProxyOptions}. */
export const proxyDefaults: Readonly<Record<keyof RelaySettings, number>> = {
  keepAliveDelayMs: 30_000,
  keepAliveIntervalMs: 10_000,
  keepAliveProbes: 3,
  userTimeoutMs: 60_000,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 600_000,
  writeTimeoutMs: 300_000,
  stallTimeoutMs: 2_000,
};

/** Default of {@link ProxyOptions.maxAttempts}. */
export const defaultMaxAttempts = 16;

/** The most that systems accept: Linux refuses more, and would use its own two hours. */
export const keepAliveLimits: Partial<RelaySettings> = {
  keepAliveDelayMs: 32_767_000,
  keepAliveIntervalMs: 32_767_000,
  keepAliveProbes: 127,
};

/** The longest time that a timer of Node takes, and the longest user timeout that Linux takes. */
const longestTimerMs = 2 ** 31 - 1;

/** After how long without an answer keepalive gives up, in milliseconds; 0 if it is off. */
export function keepAliveMs(options: RelayOptions): number {
  const {
    keepAliveDelayMs = proxyDefaults.keepAliveDelayMs,
    keepAliveIntervalMs = proxyDefaults.keepAliveIntervalMs,
    keepAliveProbes = proxyDefaults.keepAliveProbes,
  } = options;
  return keepAliveDelayMs === 0 ? 0 : keepAliveDelayMs + keepAliveProbes * keepAliveIntervalMs;
}

/** As long as keepalive takes to give up, so that all of its probes are sent. */
function defaultUserTimeoutMs(options: RelayOptions): number {
  return Math.min(Math.max(proxyDefaults.userTimeoutMs, keepAliveMs(options)), longestTimerMs);
}

/**
 * The settings of the relay: its options, with their defaults.
 *
 * @throws {GatewayError} `invalid-option` for one that is out of range
 */
export function relaySettings(options: RelayOptions): RelaySettings {
  const inRange = (name: keyof RelaySettings, standard = proxyDefaults[name]): number => {
    const value = options[name] ?? standard;
    const most = keepAliveLimits[name] ?? longestTimerMs;
    if (value >= 0 && value <= most) return value;
    throw new GatewayError("invalid-option", `${name} ${value} is not between 0 and ${most}`);
  };
  return {
    keepAliveDelayMs: inRange("keepAliveDelayMs"),
    keepAliveIntervalMs: inRange("keepAliveIntervalMs"),
    keepAliveProbes: inRange("keepAliveProbes"),
    userTimeoutMs: inRange("userTimeoutMs", defaultUserTimeoutMs(options)),
    idleTimeoutMs: inRange("idleTimeoutMs"),
    halfCloseTimeoutMs: inRange("halfCloseTimeoutMs"),
    writeTimeoutMs: inRange("writeTimeoutMs"),
    stallTimeoutMs: inRange("stallTimeoutMs"),
  };
}

/**
 * `value`, or `standard` where there is none.
 *
 * @throws {GatewayError} `invalid-option` if it is less than 1
 */
export function atLeastOne(
  name: "maxConnections" | "maxAttempts",
  value: number | undefined,
  standard: number,
): number {
  const count = value ?? standard;
  if (count >= 1) return count;
  throw new GatewayError("invalid-option", `${name} ${count} is not at least 1`);
}

/** Part of the stall timeout after which a client that leaves has given up: timeouts of clients are often a second. */
const abandonedPart = 0.4;

/** The wait after which a client that leaves gave up, in milliseconds; Infinity if waits are not timed. */
export function abandonedMs({ stallTimeoutMs = 0 }: RelaySettings): number {
  return stallTimeoutMs === 0 ? Infinity : stallTimeoutMs * abandonedPart;
}
