import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Whether to skip tests that need these programs: the reason if one is missing on a user's machine, else
 * false. Under CI a missing program is an error: what CI does not run, nobody does.
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
