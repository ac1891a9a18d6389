import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { GatewayError, quote } from "@gw/interface";

/** Room for some thousand endpoints. Reading YAML takes time in which nothing is relayed. */
export const mostBytes: number = 64 * 1024;

/**
 * The bytes of a file, read anew.
 *
 * @throws {GatewayError} `invalid-option` if there is none, it is none, or it may not be read; another where
 *   this machine or the disk is to blame
 */
export async function readBytes(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, to open a named pipe is to wait for who writes to it.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = await file.stat();
    if (!stats.isFile()) throw invalid(path, stats.isDirectory() ? "is a folder" : "is not a regular file");
    const buffer = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (let bytesRead = -1; bytesRead !== 0 && length < buffer.length; length += bytesRead)
      ({ bytesRead } = await file.read(buffer, length, buffer.length - length, null));
    if (length > mostBytes) throw invalid(path, `is larger than ${mostBytes / 1024} KiB`);
    return buffer.subarray(0, length);
  } catch (error) {
    const sentence = sentences[(error as NodeJS.ErrnoException).code ?? ""];
    throw sentence ? invalid(path, sentence, error) : GatewayError.from(error, `read ${shown(path)}`);
  } finally {
    await file?.close();
  }
}

/** @throws {GatewayError} `invalid-option` if the bytes are no UTF-8 */
export function textOf(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(path, "is not text in UTF-8", error);
  }
}

/** A path for messages: as it is, unless that could be misread. */
export function shown(path: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(path) ? path : quote(path);
}

const sentences: { readonly [errno: string]: string } = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist: a part of its path is not a folder",
  ELOOP: "is a circle of symbolic links",
  ENAMETOOLONG: "is too long a name",
  EACCES: "may not be read (EACCES)",
  EPERM: "may not be read (EPERM)",
  ENXIO: "is not a regular file",
  EISDIR: "is a folder",
  ERR_INVALID_ARG_VALUE: "is not a file name",
};

function invalid(path: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid-option", `${shown(path)} ${what}`, { cause });
}
