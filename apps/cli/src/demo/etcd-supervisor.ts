import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ProcessEnded, SupervisorRequest } from "./etcd-supervisor-process.js";

/** Runs etcd processes that do not outlive this process: the demo's side of `etcd-supervisor-process.ts`. */
export interface Supervisor {
  /** Starts `etcd` with `args`, under a name that no running process has. */
  run(name: string, args: readonly string[]): EtcdProcess;
  /** Kills all processes and removes the folder. Resolves when that is done. */
  close(): Promise<void>;
}

/** An etcd process. */
export interface EtcdProcess {
  /** Aborted when the process has ended; the reason says why, in one line. */
  readonly ended: AbortSignal;
  /** Kills it with SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>;
}

/** Starts a supervisor, which owns `folder` from now on. */
export function startSupervisor(folder: string): Supervisor {
  const child = fork(fileURLToPath(new URL("./etcd-supervisor-process.cjs", import.meta.url)), [folder], {
    // A separate process group: a terminal's Ctrl-C must not reach the etcd processes.
    detached: true,
    env: etcdEnvironment(),
    execArgv: [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const running = new Map<string, AbortController>();
  child.on("message", ({ ended, why }: ProcessEnded) => running.get(ended)?.abort(why));
  const exited = new Promise<void>(resolve => {
    child.once("exit", () => resolve());
    // The only event if it could not be started.
    child.once("error", () => resolve());
  }).then(() => {
    for (const process of running.values()) process.abort("its supervisor has ended");
  });
  // A request that fails was for a supervisor that has ended.
  const send = (request: SupervisorRequest): boolean => child.send(request, () => {});
  return {
    run(name, args) {
      const process = new AbortController();
      running.set(name, process);
      if (child.connected) send({ start: name, args });
      else process.abort("its supervisor has ended");
      return {
        ended: process.signal,
        async kill() {
          if (process.signal.aborted) return;
          send({ stop: name });
          await once(process.signal, "abort");
        },
      };
    },
    async close() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

/**
 * This process's environment without the variables that configure etcd (`ETCD_NAME`), except for the one
 * that lets etcd run on an architecture that it does not support.
 */
export function etcdEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("ETCD_") || name === "ETCD_UNSUPPORTED_ARCH",
  );
  return Object.fromEntries(inherited);
}
