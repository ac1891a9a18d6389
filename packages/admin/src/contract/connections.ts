/** An open connection: an item of `GET /connections`. */
export interface ConnectionView {
  /** Its number in the log. */
  readonly connection: number;
  readonly client: string;
  readonly listener: string;
  /** Absent while no endpoint is picked. */
  readonly endpoint?: string | undefined;
  readonly state: "dialling" | "connected";
  readonly ageMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
  /** Since the endpoint last sent a byte. */
  readonly idleMs?: number | undefined;
  /** ISO 8601: since when the client waits for an answer. */
  readonly waitingSince?: string | undefined;
}

/** The answer to `GET /connections?after=N&limit=M&endpoint=host:port`. */
export interface ConnectionsAnswer {
  readonly schema: 1;
  readonly connections: readonly ConnectionView[];
  /** How many are open in all. */
  readonly total: number;
  /** The `after` of the next page; absent on the last. */
  readonly next?: number | undefined;
}
