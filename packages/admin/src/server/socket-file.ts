import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { GatewayError, quote } from "@gw/interface";

/** Bytes of a path that the operating systems take for a Unix socket. */
const maxPathBytes = process.platform === "darwin" ? 103 : 107;

/**
 * Makes room for a Unix socket at `path`: removes the file of one that no process listens on any more.
 *
 * @throws {GatewayError} `address-in-use` if a process listens there, or the file is not a socket; `invalid-address`;
 *   `not-permitted`
 */
export async function clearSocketFile(path: string): Promise<void> {
  if (path === "" || path.includes("\0"))
    throw invalid("the path of the socket file is empty or has a zero byte");
  if (Buffer.byteLength(path) > maxPathBytes)
    throw invalid(`the path of the socket file ${quote(path)} is longer than ${maxPathBytes} bytes`);
  const found = await fileAt(path);
  if (found === undefined) {
    // Node reports a missing folder as a lack of permission.
    if (!(await fileAt(dirname(path))))
      throw invalid(`the folder of the socket file ${quote(path)} does not exist; create it first`);
    return;
  }
  if (!found.isSocket())
    throw new GatewayError(
      "address-in-use",
      `${quote(path)} exists and is not a socket; remove it or use another path`,
    );
  const use = await stateOf(path);
  if (use === "in use")
    throw new GatewayError("address-in-use", `another process listens on the socket file ${quote(path)}`);
  // Another process may have replaced it meanwhile: only the file that was tried is removed.
  const now = await fileAt(path);
  if (use === "stale" && now?.ino === found.ino) await removeSocketFile(path);
}

/**
 * Calls `bind`, which must create its socket file synchronously, so that only this user can connect: the mode of the file
 * is 0600 from the beginning. A worker thread must not change the mask; there the caller has to choose a private folder.
 */
export function withPrivateFiles<T>(bind: () => T): T {
  if (!isMainThread) return bind();
  const mask = process.umask(0o177);
  try {
    return bind();
  } finally {
    process.umask(mask);
  }
}

async function removeSocketFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT")
      throw GatewayError.from(error, `remove the stale socket file ${quote(path)}`);
  }
}

async function fileAt(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw GatewayError.from(error, `open the socket file ${quote(path)}`);
  }
}

/** Tries to connect: only a process that listens accepts. */
function stateOf(path: string): Promise<"in use" | "stale" | "gone"> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve("in use");
    });
    socket.once("error", error => {
      const errno = errnoOf(error);
      if (errno === "ECONNREFUSED") resolve("stale");
      else if (errno === "ENOENT") resolve("gone");
      // Its queue is full, or it is one of another type.
      else if (errno === "EAGAIN" || errno === "EPROTOTYPE") resolve("in use");
      else reject(GatewayError.from(error, `connect to the socket file ${quote(path)}`));
    });
  });
}

function errnoOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-address", detail);
}
