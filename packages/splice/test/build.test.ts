// The build of a release, and whether its binaries run with another C library and on another processor.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { compile } from "./compiler.js";
import { type Copy, copyPackage } from "./copy.js";
import { packageFolder } from "./script.js";

const host = join(packageFolder, "test/napi-host.c");
const isX64 = process.platform === "linux" && process.arch === "x64";

/** Runs the build in a copy, in which nothing is built yet. */
function build({ folder }: Copy, args: readonly string[], env: { readonly [name: string]: string } = {}) {
  return runProgram(process.execPath, [join(folder, "build.mjs"), ...args], { env });
}

/** Loads a binary and runs its self-test, in a program compiled by `compiler`. */
async function selfTest(binary: string, compiler: string, emulator: readonly string[] = []): Promise<string> {
  const program = `${binary}.${compiler}`;
  await compile(compiler, [host], program, "-rdynamic");
  const [command = program, ...args] = [...emulator, program, binary];
  const { stdout, stderr } = await runProgram(command, args);
  return stdout + stderr;
}

test("without a compiler the build prints that, and fails only for a given target", async () => {
  await using copy = await copyPackage();
  const env = { CC: "no-such-compiler", PATH: "" };
  const why = /^native relay for \w+: no C compiler: spawnSync \S+ ENOENT\n/;
  expect(await build(copy, [], env)).toMatchObject({ code: 0, stderr: expect.stringMatching(why) });
  expect(await build(copy, ["--all"], env)).toMatchObject({ code: 1, stderr: expect.stringMatching(why) });
  expect(await build(copy, ["--target", "vax"], env)).toMatchObject({
    code: 1,
    stderr: "native relay for vax: no compiler is known for vax\n",
  });
  expect(existsSync(copy.binary)).toBe(false);
});

test.skipIf(missing("cc"))("an up-to-date binary is not built again", async () => {
  await using copy = await copyPackage();
  for (const outcome of ["built", "up-to-date"])
    expect((await build(copy, [])).stderr).toBe(`native relay for ${process.arch}: ${outcome}\n`);
  expect(readdirSync(join(copy.folder, "prebuilt"))).toHaveLength(2);
});

describe.skipIf(!isX64)("from x64", () => {
  test.skipIf(missing("cc", "musl-gcc"))("one binary serves glibc and musl", async () => {
    await using copy = await copyPackage();
    await build(copy, []);
    for (const compiler of ["cc", "musl-gcc"])
      expect(await selfTest(copy.binary, compiler)).toBe("self-test: passed\n");
  });

  const crossPrograms = ["x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64-static"];
  test.skipIf(missing("cc", ...crossPrograms))("a release has a binary for arm64 that works", async () => {
    await using copy = await copyPackage();
    expect(await build(copy, ["--all"])).toMatchObject({ code: 0 });
    const binary = join(copy.folder, "prebuilt/linux-arm64.node");
    const emulator = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"];
    expect(await selfTest(binary, "aarch64-linux-gnu-gcc", emulator)).toBe("self-test: passed\n");
  });
});
