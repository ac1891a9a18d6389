// The end of a process while a thread of the engine hangs.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";
import { packageFolder } from "./script.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-hang-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "when the process ends while a thread hangs, all of its clients are reset",
  async () => {
    const [object, program] = [join(folder, "engine.o"), join(folder, "hang")];
    const header = join(packageFolder, "test/hang/hanging.h");
    await compile("cc", filesIn("native/engine"), object, "-g", "-O1", "-r", "-nostdlib", "-include", header);
    await compile("cc", [...filesIn("test/hang"), object], program, "-g", "-O1");
    expect(await runProgram(program, [])).toMatchObject({ code: 0, stdout: "0\n" });
  },
  240_000,
);
