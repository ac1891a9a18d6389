// Events of connections that are over.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-stale-events-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "a connection takes no event of an earlier one, whose sockets a forked process still holds",
  async () => {
    const program = join(folder, "stale-events");
    await compile("cc", [...filesIn("test/stale-events"), ...filesIn("native/engine")], program, "-g", "-O1");
    const { code, stdout, stderr } = await runProgram(program, []);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe("0 0\n");
  },
);
