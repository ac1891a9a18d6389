import type { Socket } from "node:net";
import { type Handle, handleOf } from "./socket-events.js";

// On Unix libuv tells an end of input where it was a reset, if the reset came close behind the last bytes: it
// does not read again after a short read once the poll has said "hung up" (uv__stream_io). Passed on like that,
// a truncated answer would look complete. Node has no public means against it; where its handles are not of the
// known shape, what libuv says is taken as it is.

/**
 * Whether a socket was reset, though it says that its input has ended, or does not read. False also where that cannot
 * be known, as after its own output has ended: the kernel forgets the peer of a reset connection, but also of
 * one that is closed in both directions.
 */
export function isReset(socket: Socket): boolean {
  if (socket.writableEnded) return false;
  const handle = handleOf(socket);
  return typeof handle?.getpeername === "function" && handle.getpeername({}) !== 0;
}

/**
 * Called for each short read of a socket whose output has ended, makes the next read one that the kernel answers:
 * libuv takes its short cut only for a handle that is reading.
 */
export function forceRead(socket: Socket): void {
  const handle = handleOf(socket);
  if (typeof handle?.readStop !== "function" || typeof handle.readStart !== "function") return;
  handle.readStop();
  setImmediate(readAgain, socket, handle);
}

/** The stream above does not know; what it has decided meanwhile, to pause or to close, holds. */
function readAgain(socket: Socket, handle: Handle): void {
  if (handle.reading && !socket.destroyed) handle.readStart?.();
}

/** What reading a reset connection says. */
export function resetError(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}
