import { type GatewayError, messageOf } from "../error.js";
import type { Address } from "../network/address.js";
import type { Endpoint } from "./endpoint.js";
import type { RelayEnd } from "./relay.js";

/**
 * The events of a gateway, one method each; implement those of interest.
 *
 * Observers change nothing: what one throws becomes a process warning.
 */
export interface Observer {
  /**
   * `closed` and `unserved` may come without the client's address, which costs a system call for each connection.
   * @default false
   */
  readonly ignoresClients?: boolean | undefined;
  /**
   * A source of endpoints has a new set. `source` names it: `srv example.com`, `file /etc/gw.yaml`; `why` says what
   * happened to it, as a clause.
   */
  discovered?(event: {
    readonly source: string;
    readonly why: string;
    readonly added: readonly Endpoint[];
    readonly removed: readonly Endpoint[];
    /** Those with another priority, weight or TLS setting than before. */
    readonly changed: readonly Endpoint[];
  }): void;
  /**
   * A source cannot be read; its last set, read `ageMs` ago, stays in force. Absent if it was never read. Reported once
   * until it can be read again or fails for another reason.
   */
  discoveryFailed?(event: {
    readonly source: string;
    readonly error: GatewayError;
    readonly ageMs?: number;
  }): void;
  /** A source was read, and has this many endpoints. Also where nothing has changed. */
  discoveryRead?(event: { readonly source: string; readonly endpoints: number }): void;
  /** A source that could not be read for `failedMs` can be read again. */
  discoveryRecovered?(event: { readonly source: string; readonly failedMs: number }): void;
  /** A source uses records without TLS, because there are no others; `why` is a sentence. Reported once. */
  unsecured?(event: { readonly source: string; readonly why: string }): void;
  /** A source has an endpoint that accepts no connection from here; it is used anyway. Reported once while this lasts. */
  endpointUnreachable?(event: {
    readonly source: string;
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
  }): void;
  /** A source has an endpoint that is not used, for the reason `error`. Reported once while this lasts. */
  endpointRejected?(event: {
    readonly source: string;
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
  }): void;
  /** The pool has a new set of endpoints. */
  poolChanged?(event: { readonly added: readonly Endpoint[]; readonly removed: readonly Endpoint[] }): void;
  /** An endpoint was marked down: it gets no connections until it is tried again, in `retryInMs`. */
  endpointDown?(event: {
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
    readonly retryInMs: number;
  }): void;
  /** An endpoint that is down was tried and failed again. */
  endpointStillDown?(event: {
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
    readonly retryInMs: number;
  }): void;
  /** An endpoint that was down for `downMs` is up again. */
  endpointUp?(event: { readonly endpoint: Endpoint; readonly downMs: number }): void;
  /**
   * An endpoint was removed or marked down, for the reason `error`: its open connections are closed one by one within
   * `withinMs`.
   */
  closingConnections?(event: {
    readonly endpoint: Endpoint;
    readonly connections: number;
    readonly withinMs: number;
    readonly error: GatewayError;
  }): void;
  /**
   * Open connections are closed so that clients reconnect: because of their age, to balance the load, or because the
   * policy prefers another endpoint.
   */
  recyclingConnections?(event: {
    readonly endpoint: Endpoint;
    readonly connections: number;
    readonly cause: "age" | "balance" | "policy";
  }): void;
  /** New connections go to another endpoint than before, because of a failure or of SRV priorities. */
  failover?(event: { readonly from: Endpoint; readonly to: Endpoint; readonly why: string }): void;
  /**
   * No endpoint is known to be better, so `endpoints` are used in spite of their failures, of which `error` is the newest.
   * Repeated only when the cause changes:
   *
   * - `all-down`: every endpoint is down
   * - `most-unhealthy`: health checks failed for more of one priority than the panic threshold allows
   * - `cluster`: the fault is the cluster's (no leader, a certificate of another CA), and no endpoint is healthy
   */
  panic?(event: {
    readonly cause: "all-down" | "most-unhealthy" | "cluster";
    readonly endpoints: readonly Endpoint[];
    readonly error: GatewayError;
  }): void;
  /** A panic that lasted `panicMs` is over. */
  panicOver?(event: { readonly panicMs: number }): void;
  /** A selector threw or made an invalid choice; a random candidate is picked in its place, a target is ignored. */
  selectorFailed?(event: { readonly error: GatewayError }): void;

  /** A client was accepted. `connection` is its number in later events. */
  accepted?(event: { readonly connection: number; readonly client: Address }): void;
  /** The dial to the endpoint failed; the client's next endpoint is tried, if there is one. */
  dialFailed?(event: {
    readonly connection: number;
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
  }): void;
  /** The client is connected to the endpoint at `address`; `dialMs` counts from accept. */
  connected?(event: {
    readonly connection: number;
    readonly endpoint: Endpoint;
    readonly address: Address;
    readonly dialMs: number;
  }): void;
  /**
   * The client has been waiting for an answer for the stall timeout; it stays connected. Once for each wait. `waitedMs` is
   * for how long so far; `closed` says it of clients that give up.
   */
  stalled?(event: {
    readonly connection: number;
    readonly endpoint: Endpoint;
    readonly waitedMs: number;
  }): void;
  /** The client ended before it was connected: no endpoint could serve it, or it left; see `reason`. */
  unserved?(event: UnservedClient): void;
  /** A relayed connection ended. `dialMs` is that of {@link Observer.connected}. */
  closed?(event: ClosedClient & { readonly endpoint: Endpoint; readonly dialMs: number } & RelayEnd): void;
  /** A client was refused because `limit` connections are open. `client` is absent with {@link Observer.ignoresClients}. */
  limitReached?(event: {
    readonly limit: number;
    readonly client?: Address | undefined;
    /** As in {@link ClosedClient}. */
    readonly listener?: string | undefined;
  }): void;
  /** One address of a listen name is not one of this machine's; the gateway listens on the others. */
  listenSkipped?(event: { readonly address: Address; readonly error: GatewayError }): void;
  /** The operating system reported an error of a listening socket; it stays open. */
  acceptFailed?(event: { readonly error: GatewayError }): void;
}

/** What is known of a client whose connection ended. */
export interface ClosedClient {
  readonly connection: number;
  /** Absent if it had left before its address was read, and with {@link Observer.ignoresClients}. */
  readonly client?: Address | undefined;
  /** Where it was accepted: `127.0.0.1:23790`, `unix:/run/gw.sock`. */
  readonly listener: string;
  /** How many endpoints were tried for it, that which served it included; 0 if there was none. */
  readonly tries: number;
  /** From accept to end, in milliseconds. */
  readonly durationMs: number;
}

/** A client that ended without a backend. */
export interface UnservedClient extends ClosedClient {
  /** Why it could not be served. If it left, why the last dial had failed, if one had. */
  readonly error: GatewayError;
  /** How the relay ended it: `closed` if no endpoint could serve it. Absent where it is unknown. */
  readonly reason?: RelayEnd["reason"] | undefined;
}

/** The name of an event of {@link Observer}. */
export type ObserverEvent = Exclude<keyof Observer, "ignoresClients">;

/** Calls one method of `observer`. What it throws, or rejects with, becomes a process warning. */
export function notify<Name extends ObserverEvent>(
  observer: Observer | undefined,
  name: Name,
  event: Parameters<NonNullable<Observer[Name]>>[0],
): void {
  const warn = (error: unknown): void =>
    process.emitWarning(`gw: the observer's ${name} threw: ${messageOf(error)}`);
  try {
    const method = observer?.[name] as ((event: unknown) => unknown) | undefined;
    const result = method?.call(observer, event);
    if (result instanceof Promise) result.catch(warn);
  } catch (error) {
    warn(error);
  }
}
