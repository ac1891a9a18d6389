// The pipes of the engine where the system does not allow large ones.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";
import { packageFolder } from "./script.js";

const kibibyte = 1024;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-pipe-sizes-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "a pipe is as large as the system allows, and none is made that is smaller than the buffer",
  async () => {
    const [object, program] = [join(folder, "engine.o"), join(folder, "pipe-sizes")];
    const header = join(packageFolder, "test/pipe-sizes/limited.h");
    await compile("cc", filesIn("native/engine"), object, "-g", "-O1", "-r", "-nostdlib", "-include", header);
    await compile("cc", [...filesIn("test/pipe-sizes"), object], program, "-g", "-O1");
    const sizes = async (...limits: readonly number[]): Promise<readonly number[]> => {
      const { stdout } = await runProgram(
        program,
        limits.map(limit => String(limit * kibibyte)),
      );
      return stdout
        .trim()
        .split("\n")
        .map(size => Number(size) / kibibyte);
    };
    expect(await sizes(1024, 512, 511, 256, 255, 64, 8)).toEqual([512, 512, 256, 256, 128, 64, 0]);
  },
);
