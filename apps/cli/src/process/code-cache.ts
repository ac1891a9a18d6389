/**
 * Keeps the compiled code of the program in a file beside it, so that the next start need not compile it.
 *
 * V8 accepts such code only with the very version and flags that compiled it. So it is no part of the package: the first
 * start that may write the folder makes it, with the Node that uses it. A user who may write there may change the program as
 * well, which is not so in a folder for temporary files. Where the folder cannot be written, each start compiles.
 *
 * Node's own compile cache (`module.enableCompileCache`) begins with version 22.8 and saves as much; it can take the place
 * of this file when gw needs that version.
 */

import { closeSync, openSync, readSync, statSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

/** The first line of a script, with a digest of the rest: V8 compares no more than the length of its source. */
const digestLength = "// sha256 ".length + 64;

/** A script whose compiled code is to be kept. */
interface Loaded {
  readonly script: Script;
  readonly label: Buffer;
  readonly cacheFile: string;
}

let loaded: Loaded | undefined;

/**
 * Runs a script of this folder, whose value is a function with the parameters of a CommonJS module, and returns what that
 * exports.
 *
 * @param name its file, in ASCII, such as `main.script`; the cache is `main.cache`
 */
export function loadScript(name: string): unknown {
  const filename = join(dirname(fileURLToPath(import.meta.url)), name);
  const cacheFile = filename.replace(/\.script$/, ".cache");
  const { size } = statSync(filename);
  const codeLength = codeLengthOf(cacheFile);
  // One after the other, as a process pays for each page of memory that it touches first.
  const memory = Buffer.allocUnsafeSlow(Math.max(size, codeLength));
  const source = readSource(filename, memory.subarray(0, size));
  if (process.sourceMapsEnabled) return loadModule(filename, source);
  const label = labelOf(source);
  const cachedData = readCache(cacheFile, label, memory.subarray(0, codeLength));
  const script = new Script(source, { filename, ...(cachedData && { cachedData }) });
  // V8 rejects code that was compiled with other flags.
  if (!cachedData || script.cachedDataRejected) loaded = { script, label, cacheFile };
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename);
  return module.exports;
}

function readSource(path: string, content: Buffer): string {
  const file = openSync(path, "r");
  try {
    if (!fill(content, file)) throw new Error(`${path} was cut off while it was read`);
    return content.toString("latin1");
  } finally {
    closeSync(file);
  }
}

/** Fills `content` with what comes next in the file, or returns false where that is less. */
function fill(content: Buffer, file: number): boolean {
  for (let filled = 0; filled < content.length; ) {
    const count = readSync(file, content, filled, content.length - filled, null);
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

/** Runs the script as a module: Node reads the source maps of no others. */
function loadModule(filename: string, source: string): unknown {
  const module = new Module(filename) as Module & { _compile(source: string, filename: string): void };
  module.filename = filename;
  module._compile(`${source}(exports, require, module, __filename)`, filename);
  return module.exports;
}

/** Imports a module of the user's: in code that comes from the cache, Node 20 has no `import()`. */
export function importModule(url: string): Promise<{ readonly default?: unknown }> {
  return import(url);
}

/** The length of a label. What follows is aligned, or V8 would copy it. */
const labelLength = 128;

/** What compiled code is for. V8 does not compare how Node has changed it, nor the processor. */
function labelOf(source: string): Buffer {
  const { version, arch } = process;
  return Buffer.from(`${source.slice(0, digestLength)} ${version} ${arch}`.padEnd(labelLength), "latin1");
}

/** The longest compiled code that is read, in bytes; it is about half a megabyte. */
const maxCodeLength = 16 * 1024 * 1024;

/** The length of the compiled code in a file, with its label; 0 if there is none, or it is too long. */
function codeLengthOf(path: string): number {
  try {
    const length = Math.floor(statSync(path).size / 2);
    return length <= maxCodeLength ? length : 0;
  } catch {
    return 0;
  }
}

/** How many bytes are compared at a time. */
const chunkLength = 64 * 1024;

/**
 * Reads the compiled code into `content`, if it has this label and length. The file has both twice: V8 does not notice damage
 * and would crash, and to compare is faster than any checksum of Node.
 */
function readCache(path: string, label: Buffer, content: Buffer): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    if (!fill(content, file) || !content.subarray(0, label.length).equals(label)) return undefined;
    const copy = Buffer.allocUnsafeSlow(chunkLength);
    for (let at = 0; at < content.length; at += chunkLength) {
      const chunk = content.subarray(at, at + chunkLength);
      const same = copy.subarray(0, chunk.length);
      if (!fill(same, file) || !chunk.equals(same)) return undefined;
    }
    return content.subarray(label.length);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Keeps the code that has been compiled so far, unless it came from the cache. To be called when the program has started:
 * code that a start does not need makes the next one slower.
 */
export async function keepCompiledCode(): Promise<void> {
  if (!loaded) return;
  const { script, label, cacheFile } = loaded;
  loaded = undefined;
  const { open, rename, rm } = await import("node:fs/promises");
  // Of one name, so that processes that were killed meanwhile leave one file. What two write at once is noticed when read.
  const unfinished = `${cacheFile}.unfinished`;
  try {
    const file = await open(unfinished, "w", 0o644);
    try {
      const content = Buffer.concat([label, script.createCachedData()]);
      await file.writeFile(Buffer.concat([content, content]));
      // So that after a power failure there is the whole file or none.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, cacheFile);
  } catch {
    // The folder is read-only, or the disk is full.
    await rm(unfinished, { force: true }).catch(() => {});
  }
}
