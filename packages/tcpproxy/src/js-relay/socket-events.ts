import { type Server, Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from "node:net";
import type { Address } from "@gw/interface";
import type { Buffers } from "./buffers.js";

/** Handles the events of a socket. A socket has one handler at a time. */
export interface SocketHandler {
  /** The socket is connected. */
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

const handler: unique symbol = Symbol("handler");

interface HandledSocket extends Socket {
  [handler]?: SocketHandler | undefined;
}

/** Sets the handler of `socket` from now on. Events without a handler are lost. */
export function setHandler(socket: HandledSocket, next: SocketHandler | undefined): void {
  socket[handler] = next;
}

// All sockets share these functions, which find the handler through the socket: a connection allocates no closures.

function passEvents(socket: Socket): void {
  socket.on("connect", onConnect).on("end", onEnd).on("error", onError).on("close", onClose);
}

/** The callback of a socket that reads into the shared buffer (the option `onread` of node:net). */
function onRead(this: HandledSocket, length: number): boolean {
  return this[handler]?.onInput(length) ?? true;
}

/** For the event `data` of a socket that reads as a stream. */
function onData(this: HandledSocket, chunk: Buffer): void {
  if (this[handler]?.onChunk(chunk) === false) this.pause();
}

function onConnect(this: HandledSocket): void {
  this[handler]?.onConnect?.();
}

function onEnd(this: HandledSocket): void {
  this[handler]?.onEnd();
}

function onError(this: HandledSocket, error: Error): void {
  this[handler]?.onError(error);
}

function onClose(this: HandledSocket): void {
  this[handler]?.onClose();
}

/** How sockets are read, and how their events get to their handlers. */
export interface SocketReader {
  /** The options of a socket that dials `address`. */
  dialOptions(address: Address): TcpSocketConnectOpts;
  /** Called once for each socket that dials, before it is connected. It reads as soon as it is. */
  dialled(socket: Socket): void;
  /** Called once for a server that listens: passes each client's socket, which is reading, to `onSocket`. */
  accept(server: Server, onSocket: (socket: Socket) => void): void;
}

/** Reads as streams do: each read allocates a buffer. */
export const streamReader: SocketReader = {
  dialOptions: ({ host, port }) => ({ host, port, allowHalfOpen: true }),
  dialled: readAsStream,
  accept(server, onSocket) {
    server.on("connection", socket => {
      readAsStream(socket);
      onSocket(socket);
    });
  },
};

function readAsStream(socket: Socket): void {
  passEvents(socket);
  socket.on("data", onData);
  // The server has paused it.
  socket.resume();
}

/**
 * What a socket is created with.
 *
 * Node copies it and sets the last three fields in the copy, to these values. They are given as well, because V8 of Node 20
 * creates a hidden class for each field that is added to such a copy, for each socket again: that takes fifteen times as
 * long as all else of creating a socket.
 */
interface SocketOptions extends SocketConstructorOpts, Pick<TcpSocketConnectOpts, "onread"> {
  readonly handle?: Handle;
  readonly writableHighWaterMark: number;
  readonly emitClose: false;
  readonly autoDestroy: true;
  readonly decodeStrings: false;
}

/**
 * All sockets read into one buffer, `buffers.input`. Node has an option for that (`onread`) for sockets that dial, but
 * none for those that are accepted: these are built here, around the handle that libuv passes to the server. Used only
 * where the self-test has passed.
 */
export class SharedBufferReader implements SocketReader {
  readonly #onread: SocketOptions["onread"];
  /** The relay does not use "drain", which Node would schedule for each write that is longer than the mark. */
  readonly #writableHighWaterMark: number;

  constructor({ input }: Buffers) {
    this.#onread = { buffer: input, callback: onRead };
    this.#writableHighWaterMark = 2 * input.length;
  }

  dialOptions({ host, port }: Address): SocketOptions & TcpSocketConnectOpts {
    return {
      host,
      port,
      allowHalfOpen: true,
      onread: this.#onread,
      writableHighWaterMark: this.#writableHighWaterMark,
      emitClose: false,
      autoDestroy: true,
      decodeStrings: false,
    };
  }

  dialled(socket: Socket): void {
    passEvents(socket);
  }

  accept(server: Server, onSocket: (socket: Socket) => void): void {
    streamReader.accept(server, onSocket);
    const serverHandle = serverHandleOf(server);
    const accept = serverHandle?.onconnection;
    if (!serverHandle || typeof accept !== "function") return;
    serverHandle.onconnection = (status, handle) => {
      const socket = status === 0 && handle && this.#socketOf(handle);
      if (socket) onSocket(socket);
      else accept.call(serverHandle, status, handle);
    };
  }

  #socketOf(handle: Handle): Socket | undefined {
    const options: SocketOptions = {
      handle,
      allowHalfOpen: true,
      onread: this.#onread,
      writableHighWaterMark: this.#writableHighWaterMark,
      emitClose: false,
      autoDestroy: true,
      decodeStrings: false,
    };
    const socket = new Socket(options);
    passEvents(socket);
    return socket;
  }
}

// The parts of Node's internals that the relay uses where they have the known shape, as from Node 20 to 26. Where they
// do not, it works without them.

/** The libuv handle of a TCP socket. */
export interface Handle {
  /** Bytes that wait to be written. */
  readonly writeQueueSize?: number;
  /** Set by the socket while it is to be read. */
  readonly reading?: boolean;
  readStart?(): number;
  readStop?(): number;
  getpeername?(address: object): number;
}

/** The libuv handle of a server. */
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
