/**
 * The core of a TCP proxy: accept, dial the next endpoint on failure, relay, drain.
 *
 * @packageDocumentation
 */
export { connectionLimit, openFilesLimit } from "./connection-limit.js";
export { createDialer, type Dialer, type DialerOptions, dialerDefaults, type Route } from "./dialer.js";
export { inOrder } from "./in-order.js";
export { type JsRelayOptions, jsRelay } from "./js-relay/relay.js";
export type { OpenConnection, OpenConnectionsQuery } from "./open-connections.js";
export {
  defaultMaxAttempts,
  keepAliveLimits,
  keepAliveMs,
  type ProxyOptions,
  proxyDefaults,
} from "./options.js";
export { createProxy, type TcpProxy } from "./proxy.js";
export { type Lookup, systemLookup } from "./resolver.js";
export { isSelfDial } from "./self-dial.js";
