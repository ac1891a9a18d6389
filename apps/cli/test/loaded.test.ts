import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProgramOptions, runGw, startBackend, startGw } from "@gw/testing";
import { expect, onTestFinished, test } from "vitest";

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

/** Writes the URL of each module that is imported to a file. */
const hooks = `
  import { appendFileSync } from "node:fs";
  export function load(url, context, next) {
    appendFileSync(process.env.LOADED, url + "\\n");
    return next(url, context);
  }`;

/** What takes long to load, by a part of its URL. */
const heavy = {
  tls: "node:tls",
  http: "node:http",
  udp: "node:dgram",
  yaml: "/yaml/",
  zod: "/zod/",
  "dns-packet": "/dns-packet/",
  "etcd-client": "/packages/etcd-client/dist/index.js",
  health: "/packages/health/dist/index.js",
  "import-meta-resolve": "/import-meta-resolve/",
  "pino-pretty": "/pino-pretty/",
  demo: "/dist/demo-",
  resolve: "/dist/resolve-",
};

/** What of the heavy a program loads that `run` starts and ends. */
async function loadedBy(run: (options: ProgramOptions) => Promise<unknown>): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "gw-loaded-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "loaded");
  const register = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))});`;
  await run({ env: { LOADED: file, NODE_OPTIONS: `--import=${dataUrl(register)}` } });
  const loaded = (await readFile(file, "utf8")).split("\n").filter(url => !url.startsWith("data:"));
  return Object.entries(heavy).flatMap(([name, part]) =>
    loaded.some(url => url.includes(part)) ? name : [],
  );
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
  // How a connection is checked is loaded 100 ms after the start, which may be before the file is believed.
  expect(loaded.filter(name => name !== "health" && name !== "etcd-client")).toEqual([
    "udp",
    "yaml",
    "zod",
    "dns-packet",
  ]);
});

test("a gateway that checks health loads how when it serves already", async () => {
  await using backend = await startBackend();
  const loaded = await loadedBy(async options => {
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`], options);
    await backend.next();
    const ready = gw.log.findIndex(({ msg }) => /ready/.test(msg));
    expect(ready).toBeGreaterThan(-1);
  });
  expect(loaded).toEqual(["etcd-client", "health"]);
});

test.each([["--help"], ["--no-such-flag"]])("gw %s loads nothing but what reads flags", async arg => {
  expect(await loadedBy(options => runGw([arg], options))).toEqual([]);
});
