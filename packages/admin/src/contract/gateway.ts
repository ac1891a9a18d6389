import type { ConnectionsAnswer } from "./connections.js";
import type { EventsAnswer, EventsQuery, RecordedEvent } from "./events.js";
import type { Status } from "./status.js";

/** What the admin server shows and controls: a gateway that runs. */
export interface AdminGateway {
  status(): Status;
  /** A page of open connections in the order of their numbers. @param limit 1 to 1000 */
  connections(query: {
    readonly after: number;
    readonly limit: number;
    readonly endpoint?: string | undefined;
  }): ConnectionsAnswer;
  events(query?: EventsQuery): EventsAnswer;
  /** Calls `listener` with each event that is recorded from now on, and again when its count grows; returns a function that stops it. */
  onEvent(listener: (event: RecordedEvent) => void): () => void;
  /** The whole text of `/metrics`. */
  metrics(format: "prometheus" | "openmetrics"): string;
  /** Present only with `--admin-actions`. */
  readonly actions?: AdminActions | undefined;
}

/**
 * What an operator can change. Each throws a `GatewayError`: `invalid-endpoint` if the endpoint is not one of the gateway's,
 * `refused` if it must not be done now (to hold the last endpoint that is up, without `force`).
 */
export interface AdminActions {
  /** No new connections; open ones end as with `--on-removed drain`. It stays so until `undrain` or the end of the process. */
  drain(endpoint: string, options: { readonly force: boolean }): void;
  /** No new connections; open ones are reset at once. The same otherwise. */
  markDown(endpoint: string, options: { readonly force: boolean }): void;
  /** Takes back an endpoint that was drained or marked down. */
  undrain(endpoint: string): void;
  /** Checks an endpoint deeply, also one that is held. Resolves with why it is unhealthy; undefined if it is healthy. */
  check(endpoint: string, signal: AbortSignal): Promise<string | undefined>;
  /** As SIGHUP: reads files and looks up everything again. */
  refresh(): void;
  /** @throws {GatewayError} `invalid-option` */
  setLogLevel(level: string): void;
}
