import type { Socket } from "node:net";
import type { GatewayError } from "./error.js";

/** Moves bytes between two connected sockets. */
export interface Relay {
  /** For logs: `stream`. */
  readonly name: string;
  /**
   * Relays until both directions are done. Owns both sockets from now on and closes both.
   *
   * Both sockets are connected, paused, have not been read from, and allow half-open use. An end of input on
   * one becomes a shutdown of the other's write side; a reset or failure of one becomes a reset of the other.
   * What is held in memory is bounded.
   *
   * @param onEnd called exactly once, never from within `start`, when both sockets are closed
   */
  start(client: Socket, backend: Socket, onEnd: (end: RelayEnd) => void): RelayedConnection;
}

/** A connection that is being relayed. */
export interface RelayedConnection {
  /** Resets both sides now. Does nothing when they are closed already. */
  kill(): void;
}

/** How a relayed connection ended. */
export interface RelayEnd {
  /**
   * - `finished`: both sides ended their output, and every byte was passed on
   * - `client-failed`, `backend-failed`: that side was reset or lost, the other was reset; see `error`
   * - `killed`: by `kill`
   */
  readonly reason: "finished" | "client-failed" | "backend-failed" | "killed";
  readonly error?: GatewayError;
  /** Bytes read from the client. */
  readonly bytesFromClient: number;
  /** Bytes read from the backend. */
  readonly bytesFromBackend: number;
}
