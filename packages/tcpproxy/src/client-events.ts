import type {
  Address,
  Endpoint,
  GatewayError,
  Observer,
  RelayClient,
  RelayEnd,
  UnservedClient,
} from "@gw/interface";

/** The event of {@link Observer.closed}, while it is built. */
type ClosedEvent = {
  -readonly [Name in keyof ClosedParameter]: ClosedParameter[Name];
};
type ClosedParameter = Parameters<NonNullable<Observer["closed"]>>[0];

/** A client that has ended, as its events need it. */
export interface EndedClient {
  readonly id: number;
  /** Undefined unless it was read at accept. */
  readonly observedAddress: Address | undefined;
  readonly listener: string;
  /** Since accept, in milliseconds. */
  readonly ageMs: number;
}

/**
 * The address of `client` if `observer` is to have it when the client has ended: the system knows it no more then.
 * Undefined if the client has left already.
 */
export function observedAddress(client: RelayClient, observer: Observer | undefined): Address | undefined {
  if (!observer || observer.ignoresClients || !(observer.closed ?? observer.unserved)) return undefined;
  const { address } = client;
  return address.host === "" ? undefined : address;
}

/** The address of a client that is refused, if `observer` is to have it. */
export function refusedAddress(client: RelayClient, observer: Observer | undefined): Address | undefined {
  return observer?.limitReached ? observedAddress(client, observer) : undefined;
}

/** The event of a client that no endpoint has served. */
export function unservedEvent(
  client: EndedClient,
  tries: number,
  error: GatewayError,
  reason: RelayEnd["reason"],
): UnservedClient {
  const { id: connection, observedAddress, listener, ageMs: durationMs } = client;
  return observedAddress
    ? { connection, client: observedAddress, listener, tries, durationMs, error, reason }
    : { connection, listener, tries, durationMs, error, reason };
}

/**
 * The event of a connection that was relayed. Properties are set one by one: there is an event for each connection, and
 * a spread is slow.
 *
 * @param cause why the pool or the operator ended it, if one of them did
 */
export function closedEvent(
  client: EndedClient,
  {
    endpoint,
    tries,
    dialMs,
  }: { readonly endpoint: Endpoint; readonly tries: number; readonly dialMs: number },
  end: RelayEnd,
  cause: GatewayError | undefined,
): ClosedParameter {
  const event: ClosedEvent = {
    connection: client.id,
    client: client.observedAddress,
    listener: client.listener,
    endpoint,
    tries,
    dialMs,
    durationMs: client.ageMs,
    reason: end.reason,
    bytesFromClient: end.bytesFromClient,
    bytesFromBackend: end.bytesFromBackend,
  };
  const error = end.reason === "aborted" ? (cause ?? end.error) : end.error;
  if (error) event.error = error;
  if (end.endedFirst) event.endedFirst = end.endedFirst;
  if (end.waitedMs !== undefined) event.waitedMs = end.waitedMs;
  return event;
}
