/**
 * A decision of the gateway, or the evidence for one: an item of `GET /events`, and the data of each `event` of
 * `GET /stream`. The names are those of the log where the log has the same event.
 */
export interface RecordedEvent {
  /** Grows by one; a gap shows that items were dropped. */
  readonly id: number;
  /** ISO 8601. Of the first, if there were several. */
  readonly at: string;
  /** The event: `endpoint down`, `failover`, `health check`. */
  readonly event: string;
  /** `host:port`, where it is about one endpoint. */
  readonly endpoint?: string | undefined;
  /** Why, as a clause. */
  readonly reason?: string | undefined;
  /** How many of the same kind followed each other closely and are one item. @default 1 */
  readonly count?: number | undefined;
  /** Of the last of them. */
  readonly lastAt?: string | undefined;
  /** What else is known of it; its fields are those of the event. */
  readonly data?: { readonly [field: string]: unknown } | undefined;
  /** One or two sentences for people. */
  readonly text: string;
}

/** The answer to `GET /events`. */
export interface EventsAnswer {
  readonly schema: 1;
  /** Oldest first. At most a thousand. */
  readonly events: readonly RecordedEvent[];
  /** How many older ones are no longer kept. */
  readonly dropped: number;
  /** With `?replay` only: what `gw replay` runs, a `PoolRecord` of `@gw/selector`. */
  readonly record?: unknown;
}

/** What `GET /events` is asked for. */
export interface EventsQuery {
  /** `?replay`: whether the answer has a record. It may have several megabytes. @default false */
  readonly replay?: boolean | undefined;
}
