// When the engine sets TCP_NODELAY.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-no-delay-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "TCP_NODELAY is set on a backend's socket before the second write, and not for the first",
  async () => {
    const program = join(folder, "no-delay");
    await compile("cc", [...filesIn("test/no-delay"), ...filesIn("native/engine")], program, "-g", "-O1");
    const { code, stdout, stderr } = await runProgram(program, []);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe("0\n1\n1\n1\n");
  },
);
