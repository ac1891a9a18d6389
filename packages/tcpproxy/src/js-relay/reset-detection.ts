import type { Socket } from "node:net";
import { type Handle, handleOf } from "./socket-events.js";

// On Unix libuv reports a reset as an end of input if the reset came close behind the last bytes: it does not read
// again after a short read once the poll has reported a hang-up (uv__stream_io). Passed on like that, a truncated
// answer would look complete. Node has no public API against it; where its handles are not of the known shape, what
// libuv reports is taken as it is.

/**
 * Whether a socket was reset, though its input has ended according to libuv, or it does not read. False also where that
 * cannot be known, as after its own output has ended: the kernel forgets the peer of a reset connection, but also of
 * one that is closed in both directions.
 */
export function isReset(socket: Socket): boolean {
  if (socket.writableEnded) return false;
  const handle = handleOf(socket);
  return typeof handle?.getpeername === "function" && handle.getpeername(unused) !== 0;
}

/** What getpeername fills in: one object for all, of which nobody reads anything. */
const unused = {};

/**
 * Called for each short read of a socket whose output has ended: makes libuv read from the kernel once more, which
 * finds a reset. libuv skips that read only for a handle that is reading.
 */
export function forceRead(socket: Socket): void {
  const handle = handleOf(socket);
  if (typeof handle?.readStop !== "function" || typeof handle.readStart !== "function") return;
  handle.readStop();
  setImmediate(readAgain, socket, handle);
}

/** The stream above is not involved; if it was paused or closed meanwhile, that stays so. */
function readAgain(socket: Socket, handle: Handle): void {
  if (handle.reading && !socket.destroyed) handle.readStart?.();
}

/** The error of a read from a reset connection. */
export function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}
