import { type FSWatcher, watch } from "node:fs";
import { lstat, readlink, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** Hints that a file may have changed. */
export interface Changes {
  /**
   * Resolves the path again, and watches all folders on it. To be called before each read of the file: then no change
   * after that read is missed, unless the file system does not report changes (as NFS).
   */
  watch(): Promise<void>;
  close(): void;
}

/** More symbolic links than this are taken for a loop, as in Linux. */
const maxLinks = 40;

/**
 * Watches the folders of a file and of the symbolic links that lead to it, since a file that is replaced (by an editor, by
 * `mv`, by the links of a Kubernetes ConfigMap) does not change itself.
 */
export function createChanges(path: string, onHint: () => void): Changes {
  const watchers = new Map<string, FSWatcher>();
  let names: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  let closed = false;
  const drop = (key: string): void => {
    watchers.get(key)?.close();
    watchers.delete(key);
  };
  const open = (key: string, folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        // When a folder is removed, the event has its own name.
        if (name === null || names.get(folder)?.has(name) || name === basename(folder)) onHint();
      });
      watcher.on("error", () => {
        drop(key);
        onHint();
      });
      watchers.set(key, watcher);
    } catch {
      // No watch is left, or the file system supports none: the file is still read every few seconds.
    }
  };
  return {
    async watch() {
      const steps = await stepsTo(path);
      const folders = await Promise.all(
        [...new Set(steps.map(({ folder }) => folder))].map(async folder => ({
          folder,
          // Another folder of the same name needs a watcher of its own.
          key: await stat(folder).then(
            ({ dev, ino }) => `${dev}:${ino} ${folder}`,
            () => undefined,
          ),
        })),
      );
      if (closed) return;
      names = new Map(
        folders.map(({ folder }) => [
          folder,
          new Set(steps.filter(step => step.folder === folder).map(({ name }) => name)),
        ]),
      );
      for (const key of watchers.keys()) if (!folders.some(folder => folder.key === key)) drop(key);
      for (const { key, folder } of folders) if (key && !watchers.has(key)) open(key, folder);
    },
    close() {
      closed = true;
      for (const key of watchers.keys()) drop(key);
    },
  };
}

interface Step {
  readonly folder: string;
  readonly name: string;
}

/** Each symbolic link on the path to a file, and the file; the last one is where the path does not exist. */
async function stepsTo(path: string): Promise<readonly Step[]> {
  const steps: Step[] = [];
  let folder = resolve("/");
  let remaining = partsOf(resolve(path));
  for (let links = 0; remaining.length > 0; ) {
    const [name = "", ...rest] = remaining;
    const current = join(folder, name);
    const stats = await lstat(current).catch(() => undefined);
    const target = stats?.isSymbolicLink() ? await readlink(current).catch(() => undefined) : undefined;
    if (!stats || target !== undefined || rest.length === 0) steps.push({ folder, name });
    if (!stats || (target !== undefined && ++links > maxLinks)) return steps;
    if (target === undefined) {
      folder = current;
      remaining = rest;
    } else {
      remaining = [...partsOf(resolve(folder, target)), ...rest];
      folder = resolve("/");
    }
  }
  return steps;
}

function partsOf(path: string): readonly string[] {
  const parents = [];
  for (let rest = path; dirname(rest) !== rest; rest = dirname(rest)) parents.unshift(basename(rest));
  return parents;
}
