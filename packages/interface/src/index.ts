/**
 * The types, errors and helpers that all gw packages share. It has no dependencies.
 *
 * @packageDocumentation
 */

export type { Discovery, WatchOptions } from "./contracts/discovery.js";
export { type EndCause, endCauseOf, withEndCause } from "./contracts/end-cause.js";
export { type Endpoint, sameEndpoint } from "./contracts/endpoint.js";
export type {
  CheckDepth,
  CheckedPool,
  EndpointActivity,
  EndpointFacts,
  EndpointStatus,
  Probe,
  ProbeRequest,
  Suspicion,
  Verdict,
} from "./contracts/health.js";
export type { ForeignEndpoint, HealthObserver, IdentityReason } from "./contracts/health-observer.js";
export {
  type ClosedClient,
  notify,
  type Observer,
  type ObserverEvent,
  type UnservedClient,
} from "./contracts/observer.js";
export type { EarlyPick, Lease, LeaseRequest, Pool } from "./contracts/pool.js";
export type {
  ClientEvents,
  Listener,
  ListenHandlers,
  Relay,
  RelayClient,
  RelayEnd,
  RelaySettings,
} from "./contracts/relay.js";
export type { Candidate, Selector, SelectorFactory } from "./contracts/selector.js";
export type { DialStock, PlannedDial } from "./contracts/stock.js";
export { GatewayError, type GatewayErrorCode, messageOf } from "./error.js";
export { createListeners, type Listeners } from "./listeners.js";
export { type Address, formatAddress, isLinkLocal, parseAddress } from "./network/address.js";
export { certificateNameFault, serverNameOf } from "./network/certificate-names.js";
export { type ConnectOptions, connectFirst, dialRace, interleaveFamilies } from "./network/dial-race.js";
export {
  createGetaddrinfo,
  type Getaddrinfo,
  type GetaddrinfoOptions,
  getaddrinfo,
} from "./network/getaddrinfo.js";
export { interfaceAddresses } from "./network/interfaces.js";
export { withLocalZone } from "./network/zone.js";
export { printable, quote, withoutCredentials } from "./quote.js";
export { type BackoffOptions, backoffMs, withJitter } from "./time/backoff.js";
export { type Clock, systemClock } from "./time/clock.js";
export { createExpiringMap, type ExpiringMap, type ExpiringMapOptions } from "./time/expiring-map.js";
export { createLimiter, type Limiter, type LimiterOptions } from "./time/limiter.js";
export { createOutage, createReportOnce, type Outage, type ReportOnce } from "./time/report-once.js";
export { aborted, type Deadline, type Limits, sleep, startDeadline, withTimeout } from "./time/time.js";
export { type PauseTracker, startTimeout, trackPauses } from "./time/timeout.js";
