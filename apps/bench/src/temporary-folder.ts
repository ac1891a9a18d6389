import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is removed by `using`, or when this process ends. */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

const open = new Set<string>();
process.on("exit", () => {
  for (const path of open) remove(path);
});

/** Makes a folder. @param parent @default the system's */
export function temporaryFolder(parent: string = tmpdir()): TemporaryFolder {
  const path = mkdtempSync(join(parent, "gw-bench-"));
  open.add(path);
  return {
    path,
    [Symbol.dispose]() {
      open.delete(path);
      remove(path);
    },
  };
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
