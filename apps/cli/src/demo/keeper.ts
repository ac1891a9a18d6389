import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { KeeperNotice, KeeperRequest } from "./etcd-keeper.js";
import { etcdEnvironment } from "./installed-etcd.js";

/** The demo's side of `etcd-keeper.ts`: runs etcd processes that do not outlive this process. */
export interface Keeper {
  /** Starts `etcd` with `args`, under a name that no running one has. */
  run(name: string, args: readonly string[]): KeptProcess;
  /** Kills all processes and removes the folder. Resolves when that is done. */
  close(): Promise<void>;
}

/** An etcd process. */
export interface KeptProcess {
  /** Aborted when the process is gone; the reason says why, in one line. */
  readonly ended: AbortSignal;
  /** Kills it, with SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a keeper, which owns `folder` from now on. */
export function startKeeper(folder: string): Keeper {
  const child = fork(fileURLToPath(new URL("./etcd-keeper.js", import.meta.url)), [folder], {
    // A process group of its own: a terminal's Ctrl-C must not reach the etcd processes.
    detached: true,
    env: etcdEnvironment(),
    execArgv: [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const running = new Map<string, AbortController>();
  child.on("message", ({ ended, why }: KeeperNotice) => running.get(ended)?.abort(why));
  const gone = new Promise<void>(resolve => {
    child.once("exit", () => resolve());
    // All that comes when it could not be started.
    child.once("error", () => resolve());
  }).then(() => {
    for (const process of running.values()) process.abort("the program that keeps it has ended");
  });
  // What does not get through was for a keeper that is gone.
  const ask = (request: KeeperRequest): boolean => child.send(request, () => {});
  return {
    run(name, args) {
      const process = new AbortController();
      running.set(name, process);
      if (child.connected) ask({ start: name, args });
      else process.abort("the program that keeps it has ended");
      return {
        ended: process.signal,
        async kill() {
          if (process.signal.aborted) return;
          ask({ stop: name });
          await once(process.signal, "abort");
        },
      };
    },
    async close() {
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}
