// `node bundle.mjs [folder]`: writes the JavaScript of the package there, or of all packages. What an entry of a
// package needs at once becomes one file, and what it loads later another: a gateway would otherwise load more than a
// hundred small files before it is ready. TypeScript checks the sources and writes the declarations.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { root } from "./setup.mjs";

/** What the programs of the command line load from outside; the entries of other packages are what they export. */
const programs = ["src/process/events.ts", "src/main.ts", "src/demo/etcd-supervisor-process.ts"];

/** Writes `dist/*.js` of the package in `folder`. Rejects where the sources cannot be bundled. */
async function bundle(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const exported = Object.values(exports).flatMap(one => one.default ?? []);
  const entries = exported.map(file => file.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts"));
  const { outputFiles } = await build({
    absWorkingDir: folder,
    entryPoints: entries.length > 0 ? entries : programs,
    outdir: "dist",
    entryNames: "[name]",
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
    charset: "utf8",
    // For breakpoints and stack traces in TypeScript; Node reads them with --enable-source-maps only.
    sourcemap: "linked",
    logLevel: "warning",
    write: false,
  });
  const dist = join(folder, "dist");
  mkdirSync(dist, { recursive: true });
  for (const { path, contents } of outputFiles) update(path, contents);
  const written = new Set(outputFiles.map(({ path }) => path));
  for (const name of readdirSync(dist, { recursive: true })) {
    const path = join(dist, name);
    if (/\.js(?:\.map)?$/.test(name) && !written.has(path)) rmSync(path, { force: true });
  }
}

/** Replaces a file whose contents have changed in one step: a gateway may be loading it. */
function update(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, contents);
  renameSync(unfinished, path);
}

/** The folders of all packages that are loaded as JavaScript. */
function packages() {
  const names = readdirSync(join(root, "packages"));
  return [...names.map(name => join(root, "packages", name)), join(root, "apps/cli")];
}

const [folder] = process.argv.slice(2);
await Promise.all((folder ? [resolve(folder)] : packages()).map(bundle));
