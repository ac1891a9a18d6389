// Many connections that carry bulk, on one thread: events of others wait for a few of them only, not for all.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";
import { packageFolder } from "./script.js";

const mebibyte = 1024 * 1024;
const connections = 100;
const mebibytes = 8;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-turns-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "a tick moves a few mebibytes, however many connections carry bulk, and these get equal shares",
  async () => {
    const [object, program] = [join(folder, "engine.o"), join(folder, "turns")];
    const header = join(packageFolder, "test/turns/waiting.h");
    await compile("cc", filesIn("native/engine"), object, "-g", "-O1", "-r", "-nostdlib", "-include", header);
    await compile("cc", [...filesIn("test/turns"), object], program, "-g", "-O1");
    const { code, stdout, stderr } = await runProgram(program, [connections, mebibytes].map(String));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { most, fewest } = JSON.parse(stdout);
    // 4 MiB, the rest of the last turn, which is 1 MiB for each direction and up to a pipe more, and pending bytes.
    expect(most).toBeLessThan(8 * mebibyte);
    expect(fewest).toBeGreaterThan((mebibytes / 2) * mebibyte);
  },
);
