import { isAbsolute } from "node:path";
import { findProgram, runProgram } from "@gw/testing";

/** The version that a program prints when it is run by this command. Rejects if it is not installed. */
export async function versionOf(
  [program = "", ...args]: readonly string[],
  pattern: RegExp,
): Promise<string> {
  if (!isAbsolute(program) && !findProgram(program)) throw new Error(`${program} is not installed`);
  const { stdout, stderr } = await runProgram(program, args);
  const [, version] = pattern.exec(`${stdout}${stderr}`) ?? [];
  if (!version) throw new Error(`${program} does not print its version: ${stderr}`);
  return version;
}
