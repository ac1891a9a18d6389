import { type Server, Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from "node:net";
import type { Buffers } from "./buffers.js";

/** What happens to a socket is told to its follower, of which it has one at a time. */
export interface SocketHandler {
  /** The dial succeeded. */
  onConnect?(): void;
  /**
   * Bytes were read into the shared input; they must be taken before this returns.
   *
   * @returns whether to go on reading; otherwise until `resume` is called
   */
  onInput(length: number): boolean;
  /** Bytes were read into memory of their own. Returns the same. */
  onChunk(chunk: Buffer): boolean;
  /** The peer has ended its output. */
  onEnd(): void;
  /** The socket failed; `onClose` follows. */
  onError(error: Error): void;
  /** The socket is closed. */
  onClose(): void;
}

const follower: unique symbol = Symbol("follower");

interface FollowedSocket extends Socket {
  [follower]?: SocketHandler | undefined;
}

/** Who is told of `socket` from now on. What happens while nobody follows is lost. */
export function setHandler(socket: FollowedSocket, next: SocketHandler | undefined): void {
  socket[follower] = next;
}

// One set of functions for all sockets: what belongs to a connection is found through the socket.

/** Once for each socket; {@link setHandler} says who is told. */
export function listenTo(socket: Socket): void {
  socket.on("connect", onConnect).on("end", onEnd).on("error", onError).on("close", onClose);
}

/** The callback of a socket that reads into a buffer of ours (the option `onread` of node:net). */
export function onRead(this: FollowedSocket, length: number): boolean {
  return this[follower]?.onInput(length) ?? true;
}

/** For the event `data` of a socket that reads as streams do. */
export function onData(this: FollowedSocket, chunk: Buffer): void {
  if (this[follower]?.onChunk(chunk) === false) this.pause();
}

function onConnect(this: FollowedSocket): void {
  this[follower]?.onConnect?.();
}

function onEnd(this: FollowedSocket): void {
  this[follower]?.onEnd();
}

function onError(this: FollowedSocket, error: Error): void {
  this[follower]?.onError(error);
}

function onClose(this: FollowedSocket): void {
  this[follower]?.onClose();
}

/** How bytes come out of sockets and to their followers. */
export interface SocketReader {
  /** What a socket is to be made with that dials. */
  readonly dialOptions: Pick<TcpSocketConnectOpts, "onread"> & { readonly writableHighWaterMark?: number };
  /** Once for each socket that was dialled, before it is connected. It reads as soon as it is. */
  dialled(socket: Socket): void;
  /** Once for a server that listens: calls `onSocket` with each client's socket, which is reading. */
  accept(server: Server, onSocket: (socket: Socket) => void): void;
}

/** As streams do: a new buffer for each read. */
export const streamReader: SocketReader = {
  dialOptions: {},
  dialled: readAsStream,
  accept(server, onSocket) {
    server.on("connection", socket => {
      readAsStream(socket);
      onSocket(socket);
    });
  },
};

function readAsStream(socket: Socket): void {
  listenTo(socket);
  socket.on("data", onData);
  // The server has paused it.
  socket.resume();
}

/**
 * All sockets read into the one buffer of `staging`. For sockets that dial Node has an option for that (`onread`), for
 * those that are accepted it has none, so that they are built here, around the handle that libuv gives to the
 * server. Only where `intakeOf` has found that this works.
 */
export class SharedBufferReader implements SocketReader {
  readonly dialOptions: SocketReader["dialOptions"];

  constructor({ input }: Buffers) {
    this.dialOptions = {
      onread: { buffer: input, callback: onRead },
      // Nobody waits for "drain", which Node would plan for each write that is longer than the mark.
      writableHighWaterMark: 2 * input.length,
    };
  }

  dialled(socket: Socket): void {
    listenTo(socket);
  }

  accept(server: Server, onSocket: (socket: Socket) => void): void {
    streamReader.accept(server, onSocket);
    const below = serverHandleOf(server);
    const accept = below?.onconnection;
    if (!below || typeof accept !== "function") return;
    below.onconnection = (status, handle) => {
      const socket = status === 0 && handle && this.#socketOf(handle);
      if (socket) onSocket(socket);
      else accept.call(below, status, handle);
    };
  }

  #socketOf(handle: Handle): Socket | undefined {
    const options = { ...this.dialOptions, handle, allowHalfOpen: true };
    const socket = new Socket(options satisfies SocketConstructorOpts & { handle: Handle });
    listenTo(socket);
    return socket.setNoDelay(true);
  }
}

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
interface ServerHandle {
  /** Called for each client. `handle` is undefined if `status`, an errno, is not 0. */
  onconnection?(status: number, handle: Handle | undefined): void;
}

export function handleOf(socket: Socket): Handle | undefined {
  return (socket as { _handle?: Handle | null })._handle ?? undefined;
}

function serverHandleOf(server: Server): ServerHandle | undefined {
  return (server as { _handle?: ServerHandle | null })._handle ?? undefined;
}
