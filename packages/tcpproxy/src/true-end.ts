import type { Socket } from "node:net";

// On Unix libuv tells an end of input where it was a reset, if the reset came close behind the last bytes: it
// does not read again after a short read once the poll has said "hung up" (uv__stream_io). Passed on like that,
// a truncated answer would look complete. Node has no public means against it. The two here use the handle
// below a socket; where there is none of the known shape, what libuv says is taken as it is.

/** The part of Node's internal TCP handle that is used here. */
interface Handle {
  /** Set by the stream while it wants bytes. */
  reading?: boolean;
  readStart?(): number;
  readStop?(): number;
  getpeername?(address: object): number;
}

/**
 * Whether a socket whose input has ended was reset. Only for a socket whose own output is still open: the
 * kernel forgets the peer of a reset connection, but also of one that is closed in both directions.
 */
export function isReset(socket: Socket): boolean {
  const handle = handleOf(socket);
  return typeof handle?.getpeername === "function" && handle.getpeername({}) !== 0;
}

/**
 * Called for each chunk that arrives, makes the next read one that the kernel answers: libuv takes its short
 * cut only for a handle that is reading. For a socket whose output has ended already.
 */
export function readAfresh(socket: Socket): void {
  const handle = handleOf(socket);
  if (typeof handle?.readStop !== "function" || typeof handle.readStart !== "function") return;
  handle.readStop();
  setImmediate(() => {
    // The stream above does not know; what it has decided meanwhile, to pause or to close, holds.
    if (handle.reading && !socket.destroyed) handle.readStart?.();
  });
}

/** What reading a reset connection says. */
export function connectionReset(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

function handleOf(socket: Socket): Handle | null | undefined {
  return (socket as { _handle?: Handle | null })._handle;
}
