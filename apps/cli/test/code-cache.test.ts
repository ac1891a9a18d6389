// gw keeps its compiled code beside itself; whatever is there, it starts.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "@gw/testing";
import { expect, onTestFinished, test } from "vitest";
import { root } from "./packed.js";

/** A copy of gw without compiled code. */
async function copyOfGw(): Promise<{ readonly folder: string; readonly cache: string }> {
  const parent = await mkdtemp(join(tmpdir(), "gw-code-cache-"));
  onTestFinished(() => rm(parent, { recursive: true }));
  const folder = join(parent, "cli");
  const filter = (path: string): boolean => !path.includes(".cache");
  for (const part of ["bin", "dist", "package.json"])
    cpSync(join(root, "apps/cli", part), join(folder, part), { recursive: true, filter });
  return { folder, cache: join(folder, "dist/main.cache") };
}

/** Starts it, runs `whenReady`, and stops it. */
async function runOnce(folder: string, whenReady: () => Promise<void> = async () => {}): Promise<void> {
  const args = [
    join(folder, "bin/gw.js"),
    "--listen-addr=127.0.0.1:0",
    "--endpoints=127.0.0.1:1",
    "--relay=js",
  ];
  await using gw = startProgram(process.execPath, args);
  await gw.printed(/ready to proxy client requests/);
  await whenReady();
  gw.kill("SIGTERM");
  expect((await gw.exit).code).toBe(0);
}

test("the first start keeps the compiled code, and the next one uses it", async () => {
  const { folder, cache } = await copyOfGw();
  await runOnce(folder, () => expect.poll(() => existsSync(cache)).toBe(true));
  const { ino } = statSync(cache);
  await runOnce(folder);
  // What V8 rejects is replaced, as the next test finds.
  expect(statSync(cache).ino).toBe(ino);
});

test.each<[string, (kept: Buffer) => Buffer]>([
  ["is damaged", kept => Buffer.from(kept).fill(0x5a, kept.length / 4, kept.length / 4 + 1_000)],
  ["is cut off", kept => kept.subarray(0, kept.length - 1_000)],
  ["is empty", () => Buffer.alloc(0)],
  ["is longer than any", kept => Buffer.concat([kept, Buffer.alloc(40 * 1024 * 1024)])],
  [
    "is of another gw",
    kept => Buffer.from(kept.toString("latin1").replaceAll(/sha256 \w/g, "sha256 -"), "latin1"),
  ],
  [
    "is of another version of Node",
    kept => Buffer.from(kept.toString("latin1").replaceAll(process.version, "v20.0.0"), "latin1"),
  ],
  ["is rejected by V8", kept => twice(kept.subarray(0, kept.length / 2 - 8))],
])("compiled code that %s is replaced", async (_, change) => {
  const { folder, cache } = await copyOfGw();
  await runOnce(folder, () => expect.poll(() => existsSync(cache)).toBe(true));
  const changed = change(readFileSync(cache));
  writeFileSync(cache, changed);
  await runOnce(folder, () => expect.poll(() => readFileSync(cache).equals(changed)).toBe(false));
});

function twice(code: Buffer): Buffer {
  return Buffer.concat([code, code]);
}

test("several first starts at once serve, and what they leave is replaced or of use", async () => {
  const { folder, cache } = await copyOfGw();
  await Promise.all(Array.from({ length: 4 }, () => runOnce(folder)));
  const isWhole = (): boolean => {
    const kept = readFileSync(cache);
    const half = kept.length / 2;
    return kept.subarray(0, half).equals(kept.subarray(half));
  };
  await runOnce(folder, () => expect.poll(isWhole).toBe(true));
  const { ino } = statSync(cache);
  await runOnce(folder);
  expect(statSync(cache).ino).toBe(ino);
});

test("where compiled code cannot be kept, gw starts and leaves nothing behind", async () => {
  const { folder, cache } = await copyOfGw();
  mkdirSync(cache);
  const before = readdirSync(join(folder, "dist"));
  const unfinished = `${cache}.unfinished`;
  writeFileSync(unfinished, "of a process that was killed");
  await runOnce(folder, () => expect.poll(() => existsSync(unfinished)).toBe(false));
  expect(readdirSync(join(folder, "dist"))).toEqual(before);
});

test("stack traces name the sources with --enable-source-maps", async () => {
  const { folder, cache } = await copyOfGw();
  const selector = join(folder, "traced.mjs");
  const factory = "process.stderr.write(new Error().stack); return { pick: ([one]) => one };";
  writeFileSync(selector, `export default () => { ${factory} };`);
  const args = ["--listen-addr=127.0.0.1:0", "--endpoints=127.0.0.1:1", `--selector=${selector}`];
  await using gw = startProgram(process.execPath, [
    "--enable-source-maps",
    join(folder, "bin/gw.js"),
    ...args,
  ]);
  await gw.printed(/ready to proxy client requests/);
  expect(gw.output).toMatch(/cli\/src\/compose\/selector\.ts:\d+:\d+/);
  expect(existsSync(cache)).toBe(false);
});
