import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { freePort, startProgram } from "@gw/testing";
import type { Subject } from "./contract.js";
import { type ProcessGroup, processGroup } from "./process-group.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A subject that passes connections on. `await using` ends its processes. */
export interface Running extends AsyncDisposable {
  /** `host:port` where it accepts. */
  readonly address: string;
  /** Its processes; undefined for `direct`. */
  readonly group: ProcessGroup | undefined;
  /** Rejects with what it printed if it has ended. */
  check(): Promise<void>;
}

/** What stands behind a subject. */
export interface Target {
  /** `host:port` */
  readonly address: string;
  /** Whether a connection to `address` reaches it. @default a byte comes back, as from the load program */
  readonly answers?: (address: string) => Promise<boolean>;
}

/** Starts a subject on a free port; resolves when a connection through it reaches the target. */
export async function startSubject(subject: Subject, target: Target): Promise<Running> {
  const folder = temporaryFolder();
  const listen = `127.0.0.1:${await freePort()}`;
  const command = await subject.command({ listen, backend: target.address, folder: folder.path });
  if (!command) {
    folder[Symbol.dispose]();
    return {
      address: target.address,
      group: undefined,
      check: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const [program = "", ...args] = command;
  const process = startProgram(program, args, { cwd: folder.path, detached: true });
  const running: Running = {
    address: listen,
    group: processGroup(process.pid),
    async check() {
      if (process.running) return;
      const { code, signal } = await process.exit;
      throw new Error(`it ended with ${signal ?? code}: ${lastWords(process.output)}`);
    },
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      killGroup(process.pid);
      folder[Symbol.dispose]();
    },
  };
  try {
    await ready(running, target.answers ?? echoes);
    return running;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

/** Ends what is left of a group whose leader has ended, as workers do not always follow it. */
export function killGroup(id: number): void {
  try {
    process.kill(-id, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function ready(running: Running, answers: (address: string) => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await setTimeout(10)) {
    await running.check();
    if (await answers(running.address)) return;
  }
  throw new Error("it did not get ready within 20 s");
}

/** Whether the load program's backend answers: the announcement of an echo comes back. */
function echoes(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise(resolve => {
    const socket = connect({ host: host ?? "", port: Number(port), timeout: 1_000 });
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("connect", () => socket.write("e"));
    socket.once("data", () => done(true));
    for (const event of ["error", "timeout", "end"]) socket.once(event, () => done(false));
  });
}

/** What a program has said last; of lines of JSON, as etcd logs, the last that tells of an error. */
function lastWords(output: string): string {
  const lines = output.trim().split("\n");
  return lines.map(errorOf).findLast(error => error !== undefined) ?? lines.at(-1) ?? "";
}

function errorOf(line: string): string | undefined {
  try {
    return (JSON.parse(line) as { readonly error?: string }).error;
  } catch {
    return undefined;
  }
}
