// The engine without Node; each of its system calls fails with each errno that its manual page names.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, filesIn } from "./compiler.js";
import { packageFolder } from "./script.js";

/** Most cases mainly wait, so that several run at once. */
const processes = 8;
const engine = filesIn("native/engine").filter(path => !path.endsWith("/self-test.c"));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-faults-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.skipIf(process.platform !== "linux" || missing("cc"))(
  "whatever call fails, once or always, nothing hangs, spins or is cut without a reset, and then it serves",
  async () => {
    const [object, program] = [join(folder, "engine.o"), join(folder, "faults")];
    const faulty = join(packageFolder, "test/faults/faulty.h");
    await compile("cc", engine, object, "-g", "-O1", "-r", "-nostdlib", "-include", faulty);
    await compile("cc", [...filesIn("test/faults"), object], program, "-g", "-O1");
    const runs = Array.from({ length: processes }, (_, from) =>
      runProgram(program, [String(from), String(processes)]),
    );
    const outcomes = await Promise.all(runs);
    const counts = outcomes.map(({ stdout }) => Number(/^(\d+) cases\n$/.exec(stdout)?.[1]));
    expect(outcomes.filter(({ code }) => code !== 0)).toEqual([]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(500);
  },
  240_000,
);
