import { type Server, Socket, type SocketConstructorOpts, type TcpSocketConnectOpts } from "node:net";
import { listenTo, onData, onRead } from "./follower.js";
import { type Handle, serverHandleOf } from "./handle.js";
import type { Staging } from "./staging.js";

/** How bytes come out of sockets and to their followers. */
export interface Intake {
  /** What a socket is to be made with that dials. */
  readonly dialOptions: Pick<TcpSocketConnectOpts, "onread"> & { readonly writableHighWaterMark?: number };
  /** Once for each socket that was dialled, before it is connected. It reads as soon as it is. */
  dialled(socket: Socket): void;
  /** Once for a server that listens: calls `onSocket` with each client's socket, which is reading. */
  accept(server: Server, onSocket: (socket: Socket) => void): void;
}

/** As streams do: a new buffer for each read. */
export const streamIntake: Intake = {
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
export class SharedIntake implements Intake {
  readonly dialOptions: Intake["dialOptions"];

  constructor({ input }: Staging) {
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
    streamIntake.accept(server, onSocket);
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
