import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProgramOptions, runGw, startGw } from "@gw/testing";
import { expect, onTestFinished, test } from "vitest";

/** Writes the name of each module that is loaded to a file. */
const preload = `
  const { appendFileSync } = require("node:fs");
  const Module = require("node:module");
  const load = Module._load;
  Module._load = (name, ...rest) => {
    appendFileSync(process.env.LOADED, name + "\\n");
    return load(name, ...rest);
  };`;

/** What takes long to load: parts of Node, and what is not in gw's own file. */
const heavy = [
  "node:child_process",
  "node:crypto",
  "node:dgram",
  "node:dns/promises",
  "node:fs/promises",
  "node:http",
  "node:perf_hooks",
  "node:tls",
  "node:worker_threads",
  "yaml",
  "zod",
];

/** What of the heavy a program loads that `run` starts and ends. */
async function loadedBy(run: (options: ProgramOptions) => Promise<unknown>): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "gw-loaded-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [file, program] = [join(folder, "loaded"), join(folder, "preload.cjs")];
  await writeFile(program, preload);
  await run({ env: { LOADED: file, NODE_OPTIONS: `--require=${program}` } });
  const loaded = (await readFile(file, "utf8")).split("\n");
  expect(loaded).toContain("node:net");
  return heavy.filter(name => loaded.includes(name));
}

/** Runs a gateway until it is ready. */
async function untilReady(args: readonly string[], options: ProgramOptions): Promise<void> {
  await using _ = await startGw(args, options);
}

test("a gateway for a list of endpoints loads nothing that only other sources need", async () => {
  const args = ["--endpoints=127.0.0.1:1", "--health-check=off"];
  const loaded = await loadedBy(options => untilReady(args, options));
  expect(loaded).toEqual([]);
});

test("a gateway for a file of endpoints loads what reads it, and what resolves names that may stand there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gw-loaded-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "endpoints.yaml");
  await writeFile(file, "- 127.0.0.1:1\n");
  const args = [`--endpoints-file=${file}`, "--health-check=off"];
  const loaded = await loadedBy(options => untilReady(args, options));
  expect(loaded).toEqual(["node:crypto", "node:dgram", "node:fs/promises", "yaml", "zod"]);
});

test.each([["--help"], ["--no-such-flag"]])("gw %s loads nothing but what reads flags", async arg => {
  expect(await loadedBy(options => runGw([arg], options))).toEqual([]);
});
