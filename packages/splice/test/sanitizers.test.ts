// A randomised stress test of the engine without Node, under the sanitizers of the C compiler. GW_STRESS_SEED seeds it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile, filesIn, launch, sanitizerMissing } from "./compiler.js";

const seconds = 5;
const sessions = 32;
const threads = 2;
const seed = process.env["GW_STRESS_SEED"] ?? String(Date.now() % 1_000_000);
const engine = filesIn("native/engine");
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-stress-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(["address,undefined", "thread"])("the engine under stress", sanitizer => {
  test.skipIf(sanitizerMissing(sanitizer))(
    `-fsanitize=${sanitizer} finds nothing, and nothing is lost (seed ${seed})`,
    async () => {
      const program = join(folder, sanitizer);
      const flags = ["-g", "-O1", `-fsanitize=${sanitizer}`, "-fno-sanitize-recover=all"];
      await compile("cc", [...filesIn("test/stress"), ...engine], program, ...flags);
      const args = [seed, seconds, sessions, threads].map(String);
      const { code, stdout, stderr } = await runProgram(...launch(program, ...args));
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      // The program checks each connection itself. This checks that there were some.
      const { connections } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
      expect(connections).toBeGreaterThan(10);
    },
    240_000,
  );
});
