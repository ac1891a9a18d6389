import type { GatewayError } from "../error.js";
import type { Address } from "../network/address.js";
import type { DialStock, PlannedDial } from "./stock.js";

/**
 * Accepts clients, connects them to backends, and moves the bytes between the two. The proxy decides whether a client is
 * served, and to which backend it is connected.
 *
 * The memory for a connection is bounded. An end of input on one side becomes a shutdown of the
 * other's write side; a reset or failure of one side becomes a reset of the other.
 */
export interface Relay {
  /** For logs: `native`, `js`. */
  readonly name: string;
  /** How many file descriptors it may have besides two for each connection and one for each listener. @default 0 */
  readonly extraDescriptors?: number;
  /**
   * Creates an empty stock for listeners, which may share it. A relay that has none asks for each client, as one with an
   * empty stock does.
   */
  createStock?(): DialStock;
  /**
   * Starts to accept clients. While a listener or a connection is open, the relay keeps the process alive.
   *
   * @param address a host name or IP literal, and a port; port 0 takes a free one
   * @throws {GatewayError} `address-in-use`, `not-permitted`, …; then no listener is open
   */
  listen(address: Address, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener>;
}

/** An open listening socket. */
export interface Listener {
  /** Where it listens; the port is never 0. */
  readonly address: Address;
  /**
   * Stops accepting. Clients that were accepted stay connected; of those that were not reported yet, those for which
   * nothing was dialled are reset. Does nothing the second time.
   */
  close(): void;
}

/** Callbacks of a listener; never called from within `listen`. */
export interface ListenHandlers {
  /** Dials for clients that have not come yet. @default none: `onClient` decides */
  readonly stock?: DialStock | undefined;
  /**
   * A client was accepted.
   *
   * @param dial of the stock, if one was taken for this client: it has begun when the client was accepted, and its outcome
   *   follows as that of any other
   * @returns the handlers of this client, or `undefined` to refuse it: then it is reset
   */
  onClient(client: RelayClient, dial?: PlannedDial): ClientEvents | undefined;
  /** Clients and other events were reported, all that there were: time to add to the stock. */
  onReported?(): void;
  /** The operating system reported an error of the listening socket; listening goes on. */
  onError(error: GatewayError): void;
}

/** All times are in milliseconds. 0 turns a timeout off; for keepalive it means the system's default. */
export interface RelaySettings {
  /**
   * Time without traffic after which TCP keepalive probes start, towards both sides; 0 sends none. May be set a second
   * after the connection was made.
   */
  readonly keepAliveDelayMs: number;
  /** Time between two keepalive probes. Only relays that can set it do. */
  readonly keepAliveIntervalMs: number;
  /** After this many unanswered keepalive probes a peer is lost. Only relays that can set it do. */
  readonly keepAliveProbes: number;
  /** How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT). Only relays that can set it do. */
  readonly userTimeoutMs: number;
  /** A connection without a byte in either direction for this long is reset. */
  readonly idleTimeoutMs: number;
  /** The same for a connection in which one side has ended its output. */
  readonly halfCloseTimeoutMs: number;
  /** A connection is reset when one side accepts no pending bytes for this long. */
  readonly writeTimeoutMs: number;
  /**
   * A client that waits for an answer for longer is reported by {@link ClientEvents.stalled}; nothing is closed. Without
   * it, relays need not know for how long clients wait.
   * @default 0
   */
  readonly stallTimeoutMs?: number | undefined;
}

/** A client that was accepted. The relay owns its sockets. */
export interface RelayClient {
  /**
   * The peer's address; `host` is an IP literal. It is to be read in `onClient` if it is needed later: once the client has
   * left, `host` may be empty and `port` 0, as the system knows no address any more.
   */
  readonly address: Address;
  /** Bytes read from the client so far. */
  readonly bytesFromClient: number;
  /** Bytes read from the backend so far. */
  readonly bytesFromBackend: number;
  /**
   * For how long the client has been waiting for an answer, in milliseconds, less the pauses of this process. A client
   * waits while it has sent a byte and the backend has sent none since: from its first such byte, or from `connected` if
   * it sent that before. It does not while the backend's bytes are held back because the client takes none, and not any
   * more once the backend has ended its output. It does after it has ended its own.
   *
   * It may be too short, by up to an eighth of `stallTimeoutMs`, at least 50 ms and at most 250 ms; it is never too long.
   * Undefined if the client does not wait, after the end, and where that is unknown, as without `stallTimeoutMs`.
   */
  readonly waitingMs?: number | undefined;
  /**
   * How long ago the backend last sent a byte, in milliseconds, less the pauses of this process. It may be up to 250 ms
   * too short, and too long by the time for which this process was held up before it read the byte. Undefined if the
   * backend never did, after the end, and where it is unknown, as without `stallTimeoutMs`.
   */
  readonly answeredMs?: number | undefined;
  /**
   * Connects the client to the first of `addresses`, at least one IP literal and port, that accepts. The first is
   * dialled at once; the next in parallel when none has accepted for `attemptDelayMs`, or at once when one has failed,
   * within the bounds of {@link dialRace} (RFC 8305, section 5). Addresses after the sixteenth are ignored. All other
   * connections are closed without a byte moved. `connected` or `dialFailed` follows, unless the client disconnects before
   * (`ended`). Once connected, bytes flow. Only one dial may run at a time, and none after one has succeeded.
   *
   * After a local error (`out-of-resources`) no further attempt is started; running ones go on.
   *
   * @param timeoutMs the timeout of each address
   */
  dial(addresses: readonly Address[], timeoutMs: number): void;
  /**
   * Cancels the running dial: none of its events follows. The client stays, and may be dialled for again; unless the
   * backend has just accepted and bytes have moved, which must not be sent to another backend: then it is reset, and `ended`
   * follows.
   */
  cancelDial(): void;
  /**
   * Closes a client that has no backend, or is being dialled for. If it has sent bytes it gets a reset (RFC 2525, 2.17),
   * since these bytes are lost. `ended` follows.
   */
  close(): void;
  /** Resets both sides now. `ended` follows; nothing happens if it has already. */
  abort(): void;
}

/** Callbacks for one client. Never called from within a method of the {@link RelayClient}. */
export interface ClientEvents {
  /**
   * The dial succeeded, and bytes flow.
   *
   * @param address the one of the dial's addresses that accepted
   * @param tookMs for a dial of the stock: milliseconds from accept to connection, which may be reported later
   */
  connected(address: Address, tookMs?: number): void;
  /** All addresses failed, and `error` is that of the last one; the client waits for another dial. */
  dialFailed(error: GatewayError): void;
  /**
   * The client has been waiting for an answer for `stallTimeoutMs`; see {@link RelayClient.waitingMs}. Once for each wait:
   * again only if the backend sends a byte, and the client another after that. Late by up to an eighth of the timeout, at
   * least 50 ms and at most half a second; never early.
   */
  stalled?(): void;
  /** Both sides are closed. The last event, exactly once for every client that was not refused. */
  ended(end: RelayEnd): void;
}

/** How a connection ended. */
export interface RelayEnd {
  /**
   * - `finished`: both sides ended their output, and every byte was forwarded
   * - `client-failed`, `backend-failed`: that side was reset or lost, the other was reset; see `error`
   * - `timed-out`: one of the timeouts of {@link RelaySettings} passed, both sides were reset; see `error`, which
   *   has an {@link EndCause}
   * - `closed`: by `close`, without a backend
   * - `aborted`: by `abort`, or because of a local error; see `error`
   */
  readonly reason: "finished" | "client-failed" | "backend-failed" | "timed-out" | "closed" | "aborted";
  readonly error?: GatewayError;
  /** The side whose output ended, or that failed, before the other's. Absent if neither did, or if it is unknown. */
  readonly endedFirst?: "client" | "backend";
  /**
   * For how long a client that gave up had been waiting for an answer, in milliseconds, and as exact as
   * {@link RelayClient.waitingMs}. Measured when it ended its output or failed, which it did before the backend.
   *
   * Absent if it was not waiting then; if it took an answer after it had ended its output (`finished`); for the other
   * reasons than `finished`, `client-failed` and `backend-failed`; and where it is unknown, as without `stallTimeoutMs`.
   */
  readonly waitedMs?: number;
  /** Bytes read from the client. */
  readonly bytesFromClient: number;
  /** Bytes read from the backend. */
  readonly bytesFromBackend: number;
}
