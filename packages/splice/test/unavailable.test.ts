import { readFileSync } from "node:fs";
import { join } from "node:path";
import { missing } from "@gw/testing";
import { test as everywhere, expect } from "vitest";
import { relayMissing, test } from "./available.js";
import { compile } from "./compiler.js";
import { copyPackage } from "./copy.js";
import { packageFolder, scriptWith, startScript } from "./script.js";

const name = `${process.platform}-${process.arch}`;
const noRelay = relayMissing();
const built = noRelay ? Buffer.alloc(0) : readFileSync(join(packageFolder, "prebuilt", `${name}.node`));

test.each([
  ["there is none", undefined, new RegExp(`^native relay: there is no binary for ${name}$`)],
  ["it is empty", Buffer.alloc(0), /^native relay: .*cannot be loaded: .*file too short/],
  ["it is cut off", built.subarray(0, 1_000), /^native relay: .* is cut off$/],
  ["it is cut off in the middle", built.subarray(0, 20_000), /^native relay: .* is cut off$/],
  ["it lacks its last byte", built.subarray(0, -1), /^native relay: .* is cut off$/],
  ["it is no binary", Buffer.alloc(10_000, "#"), /^native relay: .*cannot be loaded: .*invalid ELF header/],
  ["it is for another processor", forAnother(built), /^native relay: .*cannot be loaded: /],
])("splice() throws `unavailable` for a binary if %s", async (_, content, detail) => {
  await using copy = await copyPackage(content);
  const script = scriptWith(
    `for (const _ of [1, 2])
      try {
        splice();
      } catch ({ code, detail }) {
        console.log(code, detail.replaceAll("\\n", " "));
      }`,
    copy.folder,
  );
  await using program = startScript(script);
  const { code, stdout, stderr } = await program.exit;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [first, second] = stdout.trim().split("\n");
  expect(second).toBe(first);
  expect(first).toMatch(/^unavailable /);
  expect(first?.replace("unavailable ", "")).toMatch(detail);
});

/** As if it were compiled for a machine with another `e_machine`, that of the IBM S/390. */
function forAnother(binary: Uint8Array): Uint8Array {
  if (noRelay) return binary;
  const changed = Buffer.from(binary);
  changed.writeUInt16LE(22, 18);
  return changed;
}

/** Runs a script where `call` of the C library is refused, as a sandbox does. */
async function runWithout(call: string, body: string): Promise<string> {
  await using copy = await copyPackage(built);
  const library = join(copy.folder, "refusing.so");
  await compile(
    "cc",
    [join(packageFolder, "test/refusing.c")],
    library,
    "-shared",
    "-fPIC",
    `-DCALL=${call}`,
  );
  await using program = startScript(scriptWith(body, copy.folder), { preload: library });
  const { code, stdout, stderr } = await program.exit;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

everywhere.skipIf(noRelay || missing("cc"))(
  "splice() throws `unavailable` in a sandbox where nothing can be accepted",
  async () => {
    const stdout = await runWithout(
      "accept4",
      "try { splice(); } catch ({ message }) { console.log(message); }",
    );
    expect(stdout).toBe("[unavailable] native relay: its self-test failed: EPERM\n");
  },
);

everywhere.skipIf(noRelay || missing("cc"))(
  "bytes are copied in a sandbox that forbids splice(2)",
  async () => {
    const stdout = await runWithout(
      "splice",
      `const { connect, createServer } = require("node:net");
    const { randomBytes } = require("node:crypto");
    const backend = createServer(socket => socket.pipe(socket)).listen(0, "127.0.0.1", async () => {
      const listener = await listen(splice(), client => {
        client.dial([{ host: "127.0.0.1", port: backend.address().port }], 10_000);
        return { ...noEvents, ended: ({ reason, bytesFromBackend }) => console.log(reason, bytesFromBackend) };
      });
      const [sent, received] = [randomBytes(16 * 1024 * 1024), []];
      const socket = connect(listener.address).on("data", chunk => received.push(chunk)).on("end", () => {
        console.log("same:", sent.equals(Buffer.concat(received)));
        listener.close();
        backend.close();
      });
      socket.end(sent);
    });`,
    );
    expect(stdout.trim().split("\n").sort()).toEqual(["finished 16777216", "same: true"]);
  },
);
