/**
 * Keeps the compiled code of the program in a file beside it, so that the next start need not compile it. Node's own
 * compile cache begins with version 22, and is in a folder that other users may write.
 *
 * The cache is beside the program because whoever may write there may change the program as well. Where it cannot be
 * written, each start compiles.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

/** The first line of a script, with a digest of the rest: V8 compares no more than the length of its source. */
const digestLength = "// sha256 ".length + 64;

/** A script whose compiled code is to be kept. */
interface Loaded {
  readonly script: Script;
  readonly digest: string;
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
  const source = readFileSync(filename, "latin1");
  const digest = source.slice(0, digestLength);
  const cachedData = readCache(cacheFile, digest);
  const script = new Script(source, { filename, ...(cachedData && { cachedData }) });
  // V8 rejects code of another version of it, or of one with other flags.
  if (!cachedData || script.cachedDataRejected) loaded = { script, digest, cacheFile };
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename);
  return module.exports;
}

/** Imports a module of the user's: in code that comes from the cache, Node 20 has no `import()`. */
export function importModule(url: string): Promise<{ readonly default?: unknown }> {
  return import(url);
}

/**
 * The compiled code, if it is that of this script. The file has it twice: V8 does not notice damage and would crash, and to
 * compare is faster than any checksum of Node.
 */
function readCache(file: string, digest: string): Buffer | undefined {
  try {
    const content = readFileSync(file);
    const [code, copy] = [content.subarray(0, content.length / 2), content.subarray(content.length / 2)];
    const isOurs = code.toString("latin1", 0, digestLength) === digest && code.equals(copy);
    return isOurs ? code.subarray(digestLength) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Keeps the code that has been compiled so far, unless it came from the cache. To be called when the program has started:
 * code that a start does not need makes the next one slower.
 */
export async function keepCompiledCode(): Promise<void> {
  if (!loaded) return;
  const { script, digest, cacheFile } = loaded;
  loaded = undefined;
  const { open, rename, rm } = await import("node:fs/promises");
  // Of one name, so that processes that were killed meanwhile leave one file. What two write at once is noticed when read.
  const unfinished = `${cacheFile}.unfinished`;
  try {
    const file = await open(unfinished, "w", 0o644);
    try {
      const code = Buffer.concat([Buffer.from(digest), script.createCachedData()]);
      await file.writeFile(Buffer.concat([code, code]));
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
