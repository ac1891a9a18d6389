/**
 * Shows a gateway that runs, and lets operators change it: status, metrics, events and connections over HTTP.
 *
 * @packageDocumentation
 */
export type { ConnectionsAnswer, ConnectionView } from "./contract/connections.js";
export type { EventsAnswer, EventsQuery, RecordedEvent } from "./contract/events.js";
export type { AdminActions, AdminGateway } from "./contract/gateway.js";
export type {
  CheckView,
  ConnectionCounts,
  EndpointTotals,
  EndpointView,
  FactsView,
  FailoverView,
  GatewayStatus,
  HealthView,
  IdentityView,
  OptionView,
  PanicView,
  ProcessView,
  SourceView,
  Status,
  TierView,
} from "./contract/status.js";
export type { NewEvent } from "./events/kept-events.js";
export { createRecorder, type Recorder } from "./events/recorder.js";
export type { MetricsSource } from "./metrics/family.js";
export { renderMetrics } from "./metrics/render.js";
export { type MetricsFormat, metricsContentTypes } from "./metrics/writer.js";
export type { AdminListen } from "./server/listen.js";
export { type AdminServer, type AdminServerOptions, createAdminServer } from "./server/server.js";
export type { EndpointRecord, EndpointRecords } from "./totals/endpoints.js";
export { createTotals, durationBoundsMs, type SourceTotals, type Totals } from "./totals/totals.js";
