import type { Socket } from "node:net";
import { GatewayError, type Relay, type RelayEnd, type RelayedConnection } from "@gw/interface";
import { connectionReset, isReset, readAfresh } from "./true-end.js";

/**
 * A relay over Node's streams, on every platform. In each direction it holds one read (64 KiB) and what the
 * writing socket has buffered up to its high-water mark; then it stops reading until that is gone.
 */
export function streamRelay(): Relay {
  return {
    name: "stream",
    start: (client, backend, onEnd) => new StreamedConnection(client, backend, onEnd),
  };
}

type Side = "client" | "backend";

class StreamedConnection implements RelayedConnection {
  readonly #sockets: { readonly client: Socket; readonly backend: Socket };
  readonly #onEnd: (end: RelayEnd) => void;
  #open = 2;
  /** Set by the first thing that goes wrong; what follows from it is not a reason of its own. */
  #failure: Pick<RelayEnd, "reason" | "error"> | undefined;

  constructor(client: Socket, backend: Socket, onEnd: (end: RelayEnd) => void) {
    this.#sockets = { client, backend };
    this.#onEnd = onEnd;
    this.#watch("client", client);
    this.#watch("backend", backend);
    flow(client, backend);
    flow(backend, client);
  }

  kill(): void {
    this.#fail({ reason: "killed" });
  }

  #watch(side: Side, socket: Socket): void {
    socket.on("error", cause => {
      this.#fail({ reason: `${side}-failed`, error: GatewayError.from(cause, side) });
    });
    socket.on("close", () => {
      this.#open -= 1;
      if (this.#open === 0) this.#end();
      else if (!socket.readableEnded || !socket.writableFinished) this.#fail({ reason: `${side}-failed` });
    });
  }

  /** Resets both: the side that did not fail must not take the end of the bytes for their completion. */
  #fail(failure: Pick<RelayEnd, "reason" | "error">): void {
    this.#failure ??= failure;
    reset(this.#sockets.client);
    reset(this.#sockets.backend);
  }

  #end(): void {
    this.#onEnd({
      ...(this.#failure ?? { reason: "finished" }),
      bytesFromClient: this.#sockets.client.bytesRead,
      bytesFromBackend: this.#sockets.backend.bytesRead,
    });
  }
}

/** Passes on bytes and the end of them, no faster than `to` takes them. */
function flow(from: Socket, to: Socket): void {
  from.on("data", chunk => {
    if (!to.write(chunk)) from.pause();
    if (from.writableEnded) readAfresh(from);
  });
  to.on("drain", () => from.resume());
  from.on("end", () => {
    if (!from.writableEnded && isReset(from)) from.destroy(connectionReset());
    // The empty write waits for all others: shut down only what is flushed, so that `reset` stays possible.
    else to.write("", () => to.end());
  });
  from.resume();
}

/** Closes with a reset. libuv cannot while a shutdown is under way, so wait for that: it has nothing to flush. */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
