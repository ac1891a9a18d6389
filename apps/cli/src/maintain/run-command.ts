import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { messageOf } from "@gw/interface";
import { printError } from "../output/stdio.js";

/** Exit codes of a shell for a command that is not found, and for one that cannot be run. */
const [notFound, notRunnable] = [127, 126] as const;

/** A command that runs. */
export interface RunningCommand {
  /** Resolves with its exit code when it has ended: 128 and the number of the signal that ended it, as in a shell. */
  readonly exit: Promise<number>;
  /** Passes a signal on. */
  signal(name: NodeJS.Signals): void;
}

/** Runs a command at this process's terminal, with `environment` in addition. */
export function runCommand(
  [command = "", ...args]: readonly string[],
  environment: { readonly [name: string]: string },
): RunningCommand {
  let child: ChildProcess;
  try {
    child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...environment } });
  } catch (error) {
    // An argument with a zero byte, say.
    return { exit: Promise.resolve(failed(command, error)), signal: () => {} };
  }
  const exit = new Promise<number>(resolve => {
    child.once("error", error => resolve(failed(command, error)));
    child.once("exit", (code, signal) => resolve(code ?? codeOf(signal ?? "SIGKILL")));
  });
  return { exit, signal: name => void child.kill(name) };
}

/** The exit code of a program that a signal ended. */
export function codeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function failed(command: string, error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  printError(`${command} cannot be run: ${code === "ENOENT" ? "it is not found" : messageOf(error)}`);
  return code === "ENOENT" ? notFound : notRunnable;
}
