import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** How a program ended, and all that it printed. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that a test started. `await using` ends it with the test, however the test ends. */
export interface Program extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Whether it has not ended yet. */
  readonly running: boolean;
  /** What it has printed so far, on both streams in the order of arrival. */
  readonly output: string;
  /** Resolves when it has ended. */
  readonly exit: Promise<Outcome>;
  /** Resolves with the first match in its output, past or future; rejects when it ends without one. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal?: NodeJS.Signals): void;
  /**
   * Stops it with SIGSTOP. Resolves when none of its threads runs any more: on a busy machine some may for a moment.
   * Elsewhere than on Linux that is not known, and it resolves at once.
   */
  pause(): Promise<void>;
  /** Continues it after {@link pause}. */
  resume(): void;
}

/** Options of {@link startProgram}. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: { readonly [name: string]: string | undefined };
  /** Runs it as the leader of a process group, all of which is killed at the end. */
  readonly detached?: boolean;
}

/** Running programs; a test worker that is ended by its time limit must not leave them behind. */
const running = new Set<() => void>();
function endAll(): void {
  for (const end of running) end();
}
process.on("exit", endAll);
process.on("SIGTERM", () => {
  endAll();
  process.exit(1);
});

/** Starts a program without standard input. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: options.detached ?? false,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "", all: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream]?.setEncoding("utf8").on("data", (text: string) => {
      printed[stream] += text;
      printed.all += text;
      child.emit("printed");
    });
  const end = (): void => kill("SIGKILL");
  running.add(end);
  const ended = once(child, "close").then(([code, signal]) => {
    running.delete(end);
    child.emit("printed");
    return { code, signal, stdout: printed.stdout, stderr: printed.stderr };
  });
  const kill = (signal: NodeJS.Signals = "SIGTERM"): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    process.kill(options.detached ? -child.pid : child.pid, signal);
  };
  return {
    child,
    get pid() {
      return child.pid ?? 0;
    },
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    get output() {
      return printed.all;
    },
    exit: ended,
    async printed(pattern) {
      for (;;) {
        const match = pattern.exec(printed.all);
        if (match) return match;
        if (child.exitCode !== null || child.signalCode !== null) {
          await ended;
          const last = pattern.exec(printed.all);
          if (last) return last;
          throw new Error(`${command} ended without printing ${pattern}:\n${printed.all}`);
        }
        await once(child, "printed");
      }
    },
    kill,
    async pause() {
      kill("SIGSTOP");
      while (process.platform === "linux" && runs(child.pid ?? 0))
        await new Promise(resolve => setImmediate(resolve));
    },
    resume: () => kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await ended.catch(() => {});
    },
  };
}

/** Whether a thread of a process that was sent SIGSTOP still runs. */
function runs(pid: number): boolean {
  const folder = `/proc/${pid}/task`;
  try {
    return readdirSync(folder).some(
      thread => !/\) [TZX] /.test(readFileSync(join(folder, thread, "stat"), "utf8")),
    );
  } catch {
    // The process has ended, or one of its threads has.
    return existsSync(folder);
  }
}

/** Runs a program to its end. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Outcome> {
  return startProgram(command, args, options).exit;
}

/**
 * Whether to skip tests that need these programs: the reason if one is missing on a user's machine, else
 * false. Under CI a missing program is an error, as its tests would never run.
 */
export function missing(...programs: readonly string[]): string | false {
  const absent = programs.filter(program => !findProgram(program));
  if (absent.length === 0) return false;
  const reason = `not installed: ${absent.join(", ")}`;
  if (process.env["CI"]) throw new Error(`CI must have every program that the tests need; ${reason}`);
  return reason;
}

/** The path of a program on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map(folder => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
