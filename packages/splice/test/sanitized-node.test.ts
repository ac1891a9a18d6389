// The compliance suite in Node, with the engine and the binding under the sanitizers of the C compiler.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runProgram, startProgram } from "@gw/testing";
import { expect, test } from "vitest";
import { compile, filesIn, sanitizerMissing } from "./compiler.js";
import { copyPackage } from "./copy.js";

const flags = ["-g", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-fno-sanitize-recover=all"];

test.skipIf(sanitizerMissing("address,undefined"))(
  "the relay passes its suite under AddressSanitizer and UndefinedBehaviorSanitizer, and they find nothing",
  async () => {
    await using copy = await copyPackage();
    await compile(
      "cc",
      [...filesIn("native/engine"), ...filesIn("native/binding")],
      copy.binary,
      ...flags,
      "-fsanitize=address,undefined",
    );
    await using program = startProgram(
      process.execPath,
      ["--input-type=module", "--eval", suiteWith(copy.folder)],
      {
        cwd: copy.folder,
        env: {
          LD_PRELOAD: (await runProgram("cc", ["-print-file-name=libasan.so"])).stdout.trim(),
          // Node itself does not free all memory at its end.
          ASAN_OPTIONS: "detect_leaks=0:abort_on_error=0",
        },
      },
    );
    const { code, stdout, stderr } = await program.exit;
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d\d+ passed\n$/),
      stderr: "",
    });
  },
  240_000,
);

/** Prints how many cases passed, and on stderr what failed. */
function suiteWith(folder: string): string {
  return `
    import { relayCompliance } from "@gw/compliance";
    import { splice } from ${JSON.stringify(pathToFileURL(join(folder, "dist/index.js")))};
    const sizes = { bulkBytes: 16 * 1024 * 1024, connections: 300, idleConnections: 300, turnover: 500 };
    let passed = 0;
    for (const { name, run } of relayCompliance(() => splice(), sizes))
      await run().then(() => passed++, error => console.error(name, error));
    console.log(passed, "passed");`;
}
