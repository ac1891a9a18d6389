import { open, stat } from "node:fs/promises";

/**
 * Reads and parses a text file when it is new or has changed (its time, size or inode did). While a file that was read
 * once cannot be read, its last content stays in use: perhaps it is being replaced. Of a larger file, the whole lines in
 * the first `maxBytes` are read.
 *
 * @returns what `parse` returned; undefined as long as the file has never been read
 */
export function changingFile<T>(
  path: string,
  maxBytes: number,
  parse: (text: string) => T,
): () => Promise<T | undefined> {
  let version: string | undefined;
  let parsed: T | undefined;
  return async () => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(path);
      const found = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      if (found !== version) {
        parsed = parse(await readStart(path, maxBytes));
        version = found;
      }
    } catch {
      // The file is optional.
    }
    return parsed;
  };
}

async function readStart(path: string, maxBytes: number): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = (await file.read(buffer, length, buffer.length - length, length)).bytesRead;
    const text = buffer.toString("latin1", 0, length);
    return size > maxBytes ? text.slice(0, text.lastIndexOf("\n") + 1) : text;
  } finally {
    await file.close();
  }
}
