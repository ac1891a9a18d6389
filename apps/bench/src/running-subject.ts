import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, startProgram } from "@gw/testing";
import type { Route, Subject } from "./contract.js";
import { type ProcessGroup, processGroup } from "./process-group.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A subject that forwards connections. `await using` ends its processes. */
export interface RunningSubject extends AsyncDisposable {
  /** `host:port` of its listener. */
  readonly address: string;
  /** Its processes; undefined for `direct`. */
  readonly group: ProcessGroup | undefined;
  /** Rejects with its last error if it has ended. */
  check(): Promise<void>;
}

/** What a subject forwards to. */
export interface Target {
  /** `host:port` */
  readonly address: string;
  /** All of its addresses. @default `address` alone */
  readonly addresses?: readonly string[];
  /** Whether a connection to `address` reaches it. @default whether a byte comes back, as from the load program */
  readonly isReached?: (address: string) => Promise<boolean>;
}

/** Starts a subject on a free port. Resolves when a connection through it reaches the target. */
export async function startSubject(
  subject: Subject,
  target: Target,
  how: Pick<Route, "threads" | "inTurn"> = {},
): Promise<RunningSubject> {
  const folder = temporaryFolder();
  const listen = `127.0.0.1:${await freePort()}`;
  const { address, addresses: [, ...others] = [] } = target;
  const command = await subject.command({
    listen,
    backends: [address, ...others],
    ...how,
    folder: folder.path,
  });
  if (!command) {
    folder[Symbol.dispose]();
    return {
      address,
      group: undefined,
      check: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  }
  const [program = "", ...args] = command;
  const process = startProgram(program, args, { cwd: folder.path, detached: true });
  const running: RunningSubject = {
    address: listen,
    group: processGroup(process.pid),
    async check() {
      if (process.running) return;
      const { code, signal } = await process.exit;
      throw new Error(`it ended with ${signal ?? code}: ${lastError(process.output)}`);
    },
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      killGroup(process.pid);
      folder[Symbol.dispose]();
    },
  };
  try {
    await ready(running, target.isReached ?? echoes);
    if (subject.metricsSocket === undefined) return running;
    const scraping = scrape(join(folder.path, subject.metricsSocket));
    return {
      ...running,
      async check() {
        await running.check();
        if (scraping.error) throw new Error(`its metrics cannot be read: ${scraping.error.message}`);
      },
      async [Symbol.asyncDispose]() {
        scraping.stop();
        await running[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

/** How often the metrics of a subject are read, in milliseconds: more often than Prometheus usually does. */
const scrapeEveryMs = 1_000;

/** Reads `/metrics` again and again, until it is stopped. */
function scrape(socketPath: string): { readonly error: Error | undefined; stop(): void } {
  let error: Error | undefined;
  const read = (): void => {
    const reading = request({ socketPath, path: "/metrics", timeout: scrapeEveryMs * 10 }, response => {
      if (response.statusCode !== 200) error = new Error(`the answer has status ${response.statusCode}`);
      response.resume();
    });
    reading.once("error", failure => {
      error = failure;
    });
    reading.end();
  };
  const timer = setInterval(read, scrapeEveryMs);
  read();
  return {
    get error() {
      return error;
    },
    stop: () => clearInterval(timer),
  };
}

/** Kills what is left of a process group: workers may outlive their leader. */
export function killGroup(id: number): void {
  try {
    process.kill(-id, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function ready(running: RunningSubject, answers: (address: string) => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await setTimeout(10)) {
    await running.check();
    if (await answers(running.address)) return;
  }
  throw new Error("it did not get ready within 20 s");
}

/** Whether the load program's backend echoes a byte. */
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

/** The last error in the output of a program that logs JSON, as etcd does; else the last line. */
function lastError(output: string): string {
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
