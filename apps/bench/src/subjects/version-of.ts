import { findProgram, runProgram } from "@gw/testing";

/** The version that a program prints. Rejects if it is not installed. */
export async function versionOf(program: string, args: readonly string[], pattern: RegExp): Promise<string> {
  if (!findProgram(program)) throw new Error(`${program} is not installed`);
  const { stdout, stderr } = await runProgram(program, args);
  const [, version] = pattern.exec(`${stdout}${stderr}`) ?? [];
  if (!version) throw new Error(`${program} does not print its version: ${stderr}`);
  return version;
}
