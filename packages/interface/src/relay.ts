import type { Address } from "./address.js";
import type { GatewayError } from "./error.js";

/**
 * The machinery below a proxy: accepts clients, connects them to backends, and moves the bytes between the two.
 * It decides nothing: whether a client is served, and where it is connected to, is the proxy's choice.
 *
 * What is held in memory for a connection is bounded. An end of input on one side becomes a shutdown of the
 * other's write side; a reset or failure of one side becomes a reset of the other.
 */
export interface Relay {
  /** For logs: `native`, `js`. */
  readonly name: string;
  /** How many file descriptors it may have besides two for each connection and one for each listener. @default 0 */
  readonly extraDescriptors?: number;
  /**
   * Starts to accept clients. While a listener or a connection is open, the relay keeps the process alive.
   *
   * @param address a host name or IP literal, and a port; port 0 takes a free one
   * @throws {GatewayError} `address-in-use`, `not-permitted`, … ; then nothing is listened on
   */
  listen(address: Address, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener>;
}

/** An open listening socket. */
export interface Listener {
  /** Where it listens; the port is never 0. */
  readonly address: Address;
  /** Stops accepting. Clients that were accepted stay. Does nothing the second time. */
  close(): void;
}

/** What a listener tells its proxy; never from within `listen`. */
export interface ListenHandlers {
  /**
   * A client was accepted.
   *
   * @returns who follows this client from now on, or `undefined` to refuse it: then it is reset
   */
  onClient(client: RelayClient): ClientEvents | undefined;
  /** The operating system reported an error of the listening socket; listening goes on. */
  onError(error: GatewayError): void;
}

/** All times in milliseconds. 0 means: not at all, or for keepalive, as the system does. */
export interface RelaySettings {
  /** Time without traffic after which TCP keepalive probes start, towards both sides; 0 sends none. */
  readonly keepAliveDelayMs: number;
  /** Between two keepalive probes. Only relays that can set it do. */
  readonly keepAliveIntervalMs: number;
  /** After this many unanswered keepalive probes a peer is lost. Only relays that can set it do. */
  readonly keepAliveProbes: number;
  /** For how long sent bytes may go unacknowledged (TCP_USER_TIMEOUT). Only relays that can set it do. */
  readonly userTimeoutMs: number;
  /** A connection without a byte in either direction for this long is reset. */
  readonly idleTimeoutMs: number;
  /** The same for a connection of which one side has ended its output. */
  readonly halfCloseTimeoutMs: number;
  /** A connection of which one side takes none of the bytes that wait for it for this long is reset. */
  readonly writeTimeoutMs: number;
}

/** A client that was accepted. Its sockets are the relay's, all the time. */
export interface RelayClient {
  /** The peer's address; `host` is an IP literal. */
  readonly address: Address;
  /** Bytes read from the client so far. */
  readonly bytesFromClient: number;
  /** Bytes read from the backend so far. */
  readonly bytesFromBackend: number;
  /**
   * Connects the client to the first of `addresses`, at least one IP literal and port, that accepts. The first is
   * dialled at once; the next beside those under way when none has accepted for `attemptDelayMs`, or at once when one
   * has failed, within the bounds of {@link dialRace} (RFC 8305, section 5). Addresses behind the sixteenth are left
   * out. Those that lose are closed, and no byte moves to or from them. `connected` or `dialFailed` follows, unless
   * the client goes away before (`ended`). Once connected, bytes flow. Only one dial may be under way, and none once
   * one has succeeded.
   *
   * An error of this machine (`out-of-resources`) starts no further attempt; those under way go on.
   *
   * @param timeoutMs how long each address may take to accept the connection
   */
  dial(addresses: readonly Address[], timeoutMs: number): void;
  /**
   * Gives up the dial under way: no event of it follows. The client stays, and may be dialled for again; unless the
   * backend has accepted at this very moment and bytes have moved, which must not go to another: then it is reset, and
   * `ended` follows.
   */
  cancelDial(): void;
  /**
   * Closes a client that has no backend, or is being dialled for. If it has sent bytes it sees a reset (RFC
   * 2525, 2.17), since what was sent is lost. `ended` follows.
   */
  close(): void;
  /** Resets both sides now. `ended` follows; nothing happens if it has already. */
  abort(): void;
}

/** What a relay tells about one client. Never called from within a method of the {@link RelayClient}. */
export interface ClientEvents {
  /** The dial succeeded, and bytes flow. `address` is the one of the dial's addresses that accepted. */
  connected(address: Address): void;
  /** All addresses failed, and `error` is of the one that did so last; the client waits for another dial. */
  dialFailed(error: GatewayError): void;
  /** All is closed. The last event, exactly once for every client that was not refused. */
  ended(end: RelayEnd): void;
}

/** How a connection ended. */
export interface RelayEnd {
  /**
   * - `finished`: both sides ended their output, and every byte was passed on
   * - `client-failed`, `backend-failed`: that side was reset or lost, the other was reset; see `error`
   * - `timed-out`: one of the timeouts of {@link RelaySettings} passed, both sides were reset; see `error`
   * - `closed`: by `close`, without a backend
   * - `aborted`: by `abort`, or because of an error of this machine; see `error`
   */
  readonly reason: "finished" | "client-failed" | "backend-failed" | "timed-out" | "closed" | "aborted";
  readonly error?: GatewayError;
  /** The side whose output ended, or that failed, before the other's. Absent if neither did, or it is not known. */
  readonly endedFirst?: "client" | "backend";
  /** Bytes read from the client. */
  readonly bytesFromClient: number;
  /** Bytes read from the backend. */
  readonly bytesFromBackend: number;
}
