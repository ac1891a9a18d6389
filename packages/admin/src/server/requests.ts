import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { maxBody, maxPipelined } from "./limits.js";

/**
 * Calls `handle` for the requests of a connection one after the other, each when the answer to the one before has been
 * sent: so a client that sends thousands of requests at once does not get as many answers made. One with more than
 * {@link maxPipelined} of them is disconnected.
 */
export function inTurn(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  const queues = new WeakMap<Socket, (() => void)[]>();
  return (request, response) => {
    const { socket } = request;
    // The parser goes on with what it has read already.
    if (socket.destroyed) return;
    const queue = queues.get(socket) ?? [];
    queues.set(socket, queue);
    if (queue.length >= maxPipelined) {
      socket.destroy();
      return;
    }
    response.once("close", () => {
      queue.shift();
      queue[0]?.();
    });
    queue.push(() => {
      // After an answer that ends the connection, the others are not sent.
      if (!socket.destroyed && !socket.writableEnded) handle(request, response);
    });
    if (queue.length === 1) queue[0]?.();
  };
}

/** Whether the request says that it has a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Reads the body and forgets it. Resolves with whether it is at most {@link maxBody}; with undefined if the client has
 * gone.
 */
export function drainBody(request: IncomingMessage): Promise<boolean | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > maxBody) return Promise.resolve(false);
  return new Promise(resolve => {
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBody) return;
      request.pause();
      resolve(false);
    });
    request.once("end", () => resolve(true));
    request.once("close", () => resolve(undefined));
    request.on("error", () => resolve(undefined));
  });
}
