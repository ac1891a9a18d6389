/**
 * The types, errors and helpers that all gw packages share. It has no dependencies.
 *
 * @packageDocumentation
 */
export { type Address, formatAddress, isLinkLocal, parseAddress } from "./address.js";
export { type BackoffOptions, backoffMs } from "./backoff.js";
export { certificateNameFault, serverNameOf } from "./certificate-names.js";
export { type Clock, systemClock } from "./clock.js";
export { type ConnectOptions, connectFirst, dialRace, interleaveFamilies } from "./dial-race.js";
export type { Discovery, WatchOptions } from "./discovery.js";
export { type Endpoint, sameEndpoint } from "./endpoint.js";
export { GatewayError, type GatewayErrorCode, messageOf } from "./error.js";
export { createExpiringMap, type ExpiringMap, type ExpiringMapOptions } from "./expiring-map.js";
export { createGetaddrinfo, type Getaddrinfo, type GetaddrinfoOptions, getaddrinfo } from "./getaddrinfo.js";
export type { CheckedPool, EndpointStatus, Probe, Verdict } from "./health.js";
export { interfaceAddresses } from "./interfaces.js";
export { createLimiter, type Limiter, type LimiterOptions } from "./limiter.js";
export { notify, type Observer } from "./observer.js";
export type { Lease, LeaseRequest, Pool } from "./pool.js";
export { printable, quote, withoutCredentials } from "./quote.js";
export type {
  ClientEvents,
  Listener,
  ListenHandlers,
  Relay,
  RelayClient,
  RelayEnd,
  RelaySettings,
} from "./relay.js";
export { createOutage, createReportOnce, type Outage, type ReportOnce } from "./report-once.js";
export type { Candidate, Selector, SelectorFactory } from "./selector.js";
export { aborted, type Deadline, type Limits, sleep, startDeadline, withTimeout } from "./time.js";
export { type PauseTracker, startTimeout, trackPauses } from "./timeout.js";
export { withLocalZone } from "./zone.js";
