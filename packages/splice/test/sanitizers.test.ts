// A randomised stress of the engine, without Node, under the sanitizers of the C compiler. GW_STRESS_SEED repeats a run.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { missing, runProgram } from "@gw/testing";
import { afterAll, describe, expect, test } from "vitest";

const seconds = 10;
const seed = process.env["GW_STRESS_SEED"] ?? String(Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "gw-stress-"));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const cFilesIn = (path: string): string[] =>
  readdirSync(at(path))
    .filter(name => name.endsWith(".c"))
    .map(name => at(`${path}/${name}`));
const engine = cFilesIn("../native").filter(path => !path.endsWith("binding.c"));

describe.skipIf(process.platform !== "linux" || missing("cc"))("the engine", () => {
  test.each(["address,undefined", "thread"])(
    `under stress, -fsanitize=%s finds nothing (seed ${seed})`,
    async sanitizer => {
      const program = join(folder, sanitizer.replace(",", "-"));
      const flags = [
        "-std=gnu11",
        "-O1",
        "-g",
        "-pthread",
        `-fsanitize=${sanitizer}`,
        "-fno-sanitize-recover=all",
      ];
      const sources = [...cFilesIn("stress"), ...engine];
      expect(
        await runProgram("cc", [...flags, `-I${at("../native")}`, ...sources, "-o", program]),
      ).toMatchObject({
        code: 0,
      });
      const { code, stdout, stderr } = await runProgram(program, [seed, String(seconds), "48", "2"]);
      expect({ code, stderr }).toMatchObject({
        code: 0,
        stderr: expect.not.stringMatching(/Sanitizer|violation/),
      });
      // It judges each connection itself; this is to see that there were some.
      const report: { connections: number } = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
      expect(report.connections).toBeGreaterThan(10);
    },
    240_000,
  );
});
