import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where `scripts/install-bench-programs.sh` unpacks programs of another release of Debian. */
const folder = process.env["GW_BENCH_PEERS"] ?? "/opt/gw-test";

/** A program that is not installed but unpacked. */
export interface Unpacked {
  /** Runs it with the C library and the other libraries of its own release. */
  readonly command: readonly string[];
  /** The folder that stands for `/`. */
  readonly root: string;
}

/**
 * Finds `program`, such as `usr/sbin/nginx`, in the folder of this name.
 *
 * @throws {Error} if it was not unpacked
 */
export function unpacked(name: string, program: string): Unpacked {
  const root = join(folder, name);
  const path = join(root, program);
  if (!existsSync(path)) throw new Error(`not in ${root}; scripts/install-bench-programs.sh unpacks it`);
  const libraries = join(root, "usr/lib", entryOf(join(root, "usr/lib"), /-linux-gnu$/));
  const loader = join(libraries, entryOf(libraries, /^ld-linux-/));
  return { command: [loader, "--library-path", libraries, path], root };
}

/** The entry of a folder whose name matches. */
function entryOf(parent: string, pattern: RegExp): string {
  const found = readdirSync(parent).find(name => pattern.test(name));
  if (found === undefined) throw new Error(`${parent} has nothing that matches ${pattern}`);
  return found;
}
