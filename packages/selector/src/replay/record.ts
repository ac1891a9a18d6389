import type { Endpoint, GatewayErrorCode, Verdict } from "@gw/interface";

/** What a pool was given and what it decided, for a replay; plain JSON. Times are in milliseconds on the pool's clock. */
export interface PoolRecord {
  readonly schema: 1;
  /** The time of day, in milliseconds since 1970, when the clock was at `clockMs`. */
  readonly wallMs: number;
  readonly clockMs: number;
  /** When it begins and ends. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Random delays follow from it. */
  readonly seed: number;
  readonly options: RecordedOptions;
  /** The state of the pool at `fromMs`. */
  readonly start: PoolSnapshot;
  /** In the order in which they happened. */
  readonly items: readonly RecordItem[];
}

/** The options of the pool that a replay can change. */
export interface RecordedOptions {
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
  readonly panicThreshold: number;
}

export interface RecordedError {
  readonly code: GatewayErrorCode;
  readonly detail: string;
}

export type RecordedVerdict = Pick<Verdict, "check" | "scope" | "connectable" | "conclusive"> & {
  readonly error?: RecordedError | undefined;
};

/** What the pool was given, where decisions depend on it. Endpoints are `host:port`. */
export type PoolInput =
  /** A new set. `returned`: those that were draining and keep their state. */
  | { readonly do: "set"; readonly endpoints: readonly Endpoint[]; readonly returned: readonly string[] }
  | {
      readonly do: "report";
      readonly endpoint: string;
      readonly verdict: RecordedVerdict;
      readonly anotherIsHealthy: boolean;
    }
  /**
   * A client was connected which shows that the endpoint is up, or is a reason to report a failover.
   * `moves`: it is the endpoint in use from now on. `from`: the one before; `fromLeft`: why that has left the set, if it has.
   */
  | {
      readonly do: "connected";
      readonly endpoint: string;
      readonly moves: boolean;
      readonly from?: string | undefined;
      readonly fromLeft?: RecordedError | undefined;
    }
  | { readonly do: "failed"; readonly endpoint: string; readonly error: RecordedError }
  /** It ended a connection without a byte. `refuted`: it has answered another one meanwhile. */
  | { readonly do: "unanswered"; readonly endpoint: string; readonly refuted: boolean }
  | { readonly do: "answered"; readonly endpoint: string }
  /** A retry that was due at `dueMs` is over. */
  | {
      readonly do: "retried";
      readonly endpoint: string;
      readonly dueMs: number;
      readonly error?: RecordedError | undefined;
      readonly verdict?: RecordedVerdict | undefined;
    };

/** What a pool decided. Endpoints are `host:port`. */
export interface PoolDecision {
  readonly do: "decided";
  readonly event:
    | "endpoint down"
    | "endpoint still down"
    | "endpoint up"
    | "failover"
    | "panic"
    | "panic over";
  readonly endpoint?: string | undefined;
  /** Of a failover. */
  readonly from?: string | undefined;
  readonly reason?: string | undefined;
  readonly retryInMs?: number | undefined;
}

export type RecordItem = (PoolInput | PoolDecision) & { readonly atMs: number };

/** Infinite numbers are null, as in JSON. */
export type JsonNumber = number | null;

export interface PoolSnapshot {
  /** In the order of the set. */
  readonly entries: readonly EntrySnapshot[];
  /** Those that left the set and have connections. */
  readonly draining: readonly EntrySnapshot[];
  readonly panic?: { readonly cause: string; readonly sinceMs: number } | undefined;
}

/** What differs from an endpoint that is new is left out. */
export interface EntrySnapshot {
  readonly endpoint: Endpoint;
  readonly sinceMs: number;
  readonly down?:
    | {
        readonly cause: "dial" | "check" | "clients";
        readonly error: RecordedError;
        readonly connectable: boolean;
        readonly confirmed: boolean;
        readonly retryAtMs: number;
      }
    | undefined;
  readonly verdict?: RecordedVerdict | undefined;
  readonly draws?: number | undefined;
  readonly backoff?: readonly JsonNumber[] | undefined;
  readonly unanswered?: readonly JsonNumber[] | undefined;
}

/** Longer details of errors are cut, in characters. */
const maxDetail = 300;

export function recordedError({ code, detail }: RecordedError): RecordedError {
  return { code, detail: detail.slice(0, maxDetail) };
}

export function recordedVerdict({ check, scope, connectable, conclusive, error }: Verdict): RecordedVerdict {
  return {
    check,
    scope,
    ...(connectable !== undefined && { connectable }),
    ...(conclusive !== undefined && { conclusive }),
    ...(error && { error: recordedError(error) }),
  };
}
