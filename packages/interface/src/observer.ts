import type { Address } from "./address.js";
import type { Endpoint } from "./endpoint.js";
import { type GatewayError, messageOf } from "./error.js";
import type { RelayEnd } from "./relay.js";

/**
 * Everything that happens in a gateway, each event a method of its own; implement those of interest.
 *
 * Observers see everything and change nothing: one that throws changes no connection's fate.
 */
export interface Observer {
  /**
   * A source of endpoints has a new set. `source` names it: `srv example.com`, `file /etc/gw.yaml`; `why` says what
   * happened to it, as a clause.
   */
  discovered?(event: {
    readonly source: string;
    readonly why: string;
    readonly added: readonly Endpoint[];
    readonly removed: readonly Endpoint[];
    /** Those that have another priority or weight than before, or say something else about TLS. */
    readonly changed: readonly Endpoint[];
  }): void;
  /**
   * A source cannot be read; what was last read of it, `ageMs` ago, holds on. Absent where nothing was ever
   * read. Not repeated until it could be read again or fails for another reason.
   */
  lookupFailed?(event: {
    readonly source: string;
    readonly error: GatewayError;
    readonly ageMs?: number;
  }): void;
  /** A source that could not be read for `failedMs` can be read again. */
  lookupRecovered?(event: { readonly source: string; readonly failedMs: number }): void;
  /** A source uses what is not secured, because there is nothing else; `why` says so in a sentence. Reported once. */
  unsecured?(event: { readonly source: string; readonly why: string }): void;
  /** A source names an endpoint that accepts no connection from here; it is used all the same. Said once while so. */
  endpointUnreachable?(event: {
    readonly source: string;
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
  }): void;
  /** A source names an endpoint that is not used, and `error` says why. Not repeated while that is so. */
  endpointRefused?(event: {
    readonly source: string;
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
  }): void;
  /** The pool has a new set of endpoints. */
  endpointsChanged?(event: {
    readonly added: readonly Endpoint[];
    readonly removed: readonly Endpoint[];
  }): void;
  /** An endpoint failed, and gets no connections until it is tried again, in `retryInMs`. */
  setAside?(event: {
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
    readonly retryInMs: number;
  }): void;
  /** An endpoint that was tried again failed again. */
  stillAside?(event: {
    readonly endpoint: Endpoint;
    readonly error: GatewayError;
    readonly retryInMs: number;
  }): void;
  /** An endpoint that was set aside takes connections again; `asideMs` is how long it was away. */
  back?(event: { readonly endpoint: Endpoint; readonly asideMs: number }): void;
  /**
   * An endpoint is gone, or does not serve any more, as `error` says; its open connections are closed one by one within
   * `withinMs`.
   */
  closing?(event: {
    readonly endpoint: Endpoint;
    readonly connections: number;
    readonly withinMs: number;
    readonly error: GatewayError;
  }): void;
  /** Open connections are closed so that they are made anew: because of their age, or where others carry too few. */
  recycling?(event: {
    readonly endpoint: Endpoint;
    readonly connections: number;
    readonly cause: "age" | "balance";
  }): void;
  /** New connections go to another endpoint than before, because of a failure or of priorities. */
  switched?(event: { readonly from: Endpoint; readonly to: Endpoint; readonly why: string }): void;
  /**
   * There is nowhere better to go, so `endpoints` are used all the same, whatever was found out about them. `error` is
   * the newest of their faults. Repeated only when the cause becomes another:
   *
   * - `all-aside`: every endpoint is set aside
   * - `most-unhealthy`: health checks found fault with more of one priority than the panic threshold allows
   * - `shared`: what is wrong is the cluster's (no leader, a certificate of another CA), and no endpoint is well
   */
  panic?(event: {
    readonly cause: "all-aside" | "most-unhealthy" | "shared";
    readonly endpoints: readonly Endpoint[];
    readonly error: GatewayError;
  }): void;
  /** A panic that lasted `panicMs` is over. */
  panicOver?(event: { readonly panicMs: number }): void;
  /** A selector threw or made an invalid choice; a random candidate was taken in its place. */
  selectorFailed?(event: { readonly error: GatewayError }): void;

  /** A client's connection was accepted. `connection` numbers it for the events that follow. */
  accepted?(event: { readonly connection: number; readonly client: Address }): void;
  /** The endpoint could not be dialled for this client; the next one is tried, if any is left. */
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
  /** No endpoint could serve the client, and it was closed. */
  unserved?(event: { readonly connection: number; readonly error: GatewayError }): void;
  /** A relayed connection is over. */
  closed?(event: { readonly connection: number; readonly endpoint: Endpoint } & RelayEnd): void;
  /** A client was refused because `limit` connections are open. */
  refused?(event: { readonly limit: number }): void;
  /** One of the addresses of a name cannot be listened on, since this machine does not have it; the others are. */
  listenSkipped?(event: { readonly address: Address; readonly error: GatewayError }): void;
  /** The operating system reported an error of a listening socket; listening goes on. */
  acceptFailed?(event: { readonly error: GatewayError }): void;
}

/** Calls one method of `observer`. What it throws, or rejects with, becomes a process warning. */
export function notify<Name extends keyof Observer>(
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
