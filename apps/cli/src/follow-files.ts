import { readFile } from "node:fs/promises";
import { watchForChanges } from "@gw/discovery";
import { type Clock, GatewayError, systemClock } from "@gw/interface";

/** For how long files must stay as they are until they are used, in milliseconds: one of them may be half written. */
const settleMs = 2_000;
/** How often files are looked at where the file system tells of no changes, in milliseconds. */
const pollMs = 5_000;

/** What is done with files that have changed. */
export interface Following {
  readonly paths: readonly string[];
  /** What the files hold that are in use, in the order of the paths. */
  readonly current: () => readonly (string | undefined)[];
  /** Uses what the files hold now. @throws {GatewayError} if it cannot be used; then what is in use stays */
  readonly use: () => void;
  /** The files have changed and are used. */
  readonly onUsed: () => void;
  /** They have changed and cannot be used; told once for each reason. */
  readonly onProblem: (error: GatewayError) => void;
  readonly clock?: Clock;
}

/**
 * Uses files anew when they have changed, until `signal` is aborted: written in place, replaced, or reached by a link
 * that was changed, as those of Kubernetes' Secrets. They are taken together when all have been the same for two
 * seconds. Those that cannot be used leave the old ones in use, and are tried again when they change.
 */
export async function followFiles(following: Following, signal: AbortSignal): Promise<void> {
  const { paths, current, use, onUsed, onProblem, clock = systemClock } = following;
  let wake = (): void => {};
  const changes = paths.map(path => watchForChanges(path, () => wake()));
  const wait = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const cancel = clock.after(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
      if (signal.aborted) wake();
    });
  signal.addEventListener("abort", () => wake());
  let inUse = JSON.stringify(current());
  let seen = inUse;
  let sinceMs = clock.now();
  let told = "";
  while (!signal.aborted) {
    await Promise.all(changes.map(change => change.watch()));
    const found = JSON.stringify(await Promise.all(paths.map(contentOf)));
    if (found !== seen) sinceMs = clock.now();
    seen = found;
    const leftMs = sinceMs + settleMs - clock.now();
    if (found === inUse) told = "";
    else if (leftMs <= 0) {
      try {
        use();
        inUse = JSON.stringify(current());
        told = "";
        onUsed();
      } catch (cause) {
        const error = GatewayError.from(cause, "reload");
        if (error.detail !== told) onProblem(error);
        told = error.detail;
      }
    }
    await wait(found !== inUse && leftMs > 0 ? leftMs : pollMs);
  }
  for (const change of changes) change.close();
}

/** The text of a file; why there is none, as what cannot be in a file. */
function contentOf(path: string): Promise<string | { readonly error: string }> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => ({ error: error.code ?? "" }));
}
