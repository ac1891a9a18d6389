import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { packageFolder } from "./script.js";

/** The headers of Node-API. */
const headers: string = createRequire(join(packageFolder, "package.json"))("node-api-headers").include_dir;

/** All C files of a folder of this package. */
export function filesIn(folder: string): readonly string[] {
  const path = join(packageFolder, folder);
  return readdirSync(path)
    .filter(name => name.endsWith(".c"))
    .map(name => join(path, name));
}

/** Compiles and links; rejects with the output of the compiler, if there is any. */
export async function compile(
  compiler: string,
  files: readonly string[],
  output: string,
  ...flags: string[]
) {
  const args = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-pthread",
    `-I${headers}`,
    ...flags,
    ...files,
    "-o",
    output,
  ];
  const { code, stderr } = await runProgram(compiler, args);
  if (code !== 0 || stderr) throw new Error(`${compiler} ${args.join(" ")}:\n${stderr}`);
}

/** Whether to skip tests with this sanitizer of `cc`: why it cannot be used here, else false. An error under CI. */
export function sanitizerMissing(sanitizer: string): string | false {
  if (process.platform !== "linux") return `for Linux, and this is ${process.platform}`;
  const folder = mkdtempSync(join(tmpdir(), "gw-sanitizer-"));
  try {
    const absent = missing("cc");
    if (absent) return absent;
    const [source, program] = [join(folder, "main.c"), join(folder, "main")];
    writeFileSync(source, "int main(void) { return 0; }\n");
    const compiled = spawnSync("cc", [`-fsanitize=${sanitizer}`, source, "-o", program], {
      encoding: "utf8",
    });
    const ran = compiled.status === 0 ? spawnSync(...launch(program), { encoding: "utf8" }) : compiled;
    if (ran.status === 0) return false;
    const reason = `-fsanitize=${sanitizer} cannot be used: ${ran.stderr}`;
    if (process.env["CI"]) throw new Error(`CI must have every sanitizer that the tests need; ${reason}`);
    return reason;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * How to run a program under a sanitizer: without address space randomisation, where `setarch` works. Older thread
 * sanitizers end with "unexpected memory mapping" on newer kernels, which randomise more bits of an address.
 */
export function launch(program: string, ...args: readonly string[]): [command: string, args: string[]] {
  const fixed = spawnSync("setarch", ["-R", "true"]).status === 0;
  return fixed ? ["setarch", ["-R", program, ...args]] : [program, [...args]];
}
