import { type FSWatcher, watch } from "node:fs";
import { lstat, readlink, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

/** Hints that a file may have changed. */
export interface Changes {
  /**
   * Looks anew at where the file is, and watches there. To be called before each look at the file: then no
   * change after that look goes unnoticed, unless the file system tells nobody (NFS, for one).
   */
  watch(): Promise<void>;
  close(): void;
}

/** Beyond that, symbolic links are taken for a circle (as in Linux). */
const mostLinks = 40;

/**
 * Watches the folders of a file and of the symbolic links that lead to it, since what replaces a file (an
 * editor, `mv`, the links of a Kubernetes ConfigMap) leaves the old one as it was.
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
        // A folder that is removed tells its own name.
        if (name === null || names.get(folder)?.has(name) || name === basename(folder)) onHint();
      });
      watcher.on("error", () => {
        drop(key);
        onHint();
      });
      watchers.set(key, watcher);
    } catch {
      // Out of watches, or not supported: the file is looked at every few seconds all the same.
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

/** Each symbolic link on the way to a file, and the file; where something is missing, that is the last. */
async function stepsTo(path: string): Promise<readonly Step[]> {
  const steps: Step[] = [];
  let folder = resolve("/");
  let ahead = partsOf(resolve(path));
  for (let links = 0; ahead.length > 0; ) {
    const [name = "", ...rest] = ahead;
    const here = join(folder, name);
    const stats = await lstat(here).catch(() => undefined);
    const target = stats?.isSymbolicLink() ? await readlink(here).catch(() => undefined) : undefined;
    if (!stats || target !== undefined || rest.length === 0) steps.push({ folder, name });
    if (!stats || (target !== undefined && ++links > mostLinks)) return steps;
    if (target === undefined) {
      folder = here;
      ahead = rest;
    } else {
      ahead = [...partsOf(resolve(folder, target)), ...rest];
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
