import type { Server, Socket } from "node:net";

// The parts of Node's internals that the relay uses where they are as it knows them, from Node 20 to 26. Where they
// are not, it does without.

/** What libuv has below a TCP socket. */
export interface Handle {
  /** Bytes that wait to be written. */
  readonly writeQueueSize?: number;
  /** Set by the socket while it wants bytes. */
  readonly reading?: boolean;
  readStart?(): number;
  readStop?(): number;
  getpeername?(address: object): number;
}

/** What libuv has below a server. */
export interface ServerHandle {
  /** Called for each client. `handle` is undefined if `status`, an errno, is not 0. */
  onconnection?(status: number, handle: Handle | undefined): void;
}

export function handleOf(socket: Socket): Handle | undefined {
  return (socket as { _handle?: Handle | null })._handle ?? undefined;
}

export function serverHandleOf(server: Server): ServerHandle | undefined {
  return (server as { _handle?: ServerHandle | null })._handle ?? undefined;
}
