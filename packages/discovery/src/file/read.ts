import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { GatewayError, quote } from "@gw/interface";

/** Enough for some thousand endpoints. Parsing YAML blocks the event loop. */
export const maxBytes: number = 64 * 1024;

/**
 * Reads the bytes of a file.
 *
 * @throws {GatewayError} `invalid-option` if it does not exist, is not a regular file, or may not be read; another for
 *   errors of this machine or the disk
 */
export async function readBytes(path: string): Promise<Buffer> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = await file.stat();
    if (!stats.isFile()) throw invalid(path, stats.isDirectory() ? "is a folder" : "is not a regular file");
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let bytesRead = -1; bytesRead !== 0 && length < buffer.length; length += bytesRead)
      ({ bytesRead } = await file.read(buffer, length, buffer.length - length, null));
    if (length > maxBytes) throw invalid(path, `is larger than ${maxBytes / 1024} KiB`);
    return buffer.subarray(0, length);
  } catch (error) {
    const sentence = sentences[(error as NodeJS.ErrnoException).code ?? ""];
    throw sentence ? invalid(path, sentence, error) : GatewayError.from(error, `read ${shown(path)}`);
  } finally {
    await file?.close();
  }
}

/** @throws {GatewayError} `invalid-option` if the bytes are not UTF-8 */
export function textOf(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(path, "is not text in UTF-8", error);
  }
}

/** A path for messages: quoted only if it has unusual characters. */
export function shown(path: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(path) ? path : quote(path);
}

const sentences: { readonly [errno: string]: string } = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist: a part of its path is not a folder",
  ELOOP: "is a loop of symbolic links",
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
