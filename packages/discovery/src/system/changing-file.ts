import { open, stat } from "node:fs/promises";

/**
 * Reads a file as text when it is new or has changed (its time, size or inode did), and makes something of it. While a
 * file that was read once cannot be read, what was made of it holds on: files are replaced. Of a larger file the first
 * `maxBytes` count, up to the end of a line.
 *
 * @returns what was made; undefined while the file was never there
 */
export function changingFile<T>(
  path: string,
  maxBytes: number,
  make: (text: string) => T,
): () => Promise<T | undefined> {
  let version: string | undefined;
  let made: T | undefined;
  return async () => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(path);
      const found = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
      if (found !== version) {
        made = make(await readStart(path, maxBytes));
        version = found;
      }
    } catch {
      // It is optional.
    }
    return made;
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
