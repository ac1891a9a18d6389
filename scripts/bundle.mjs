// `node bundle.mjs [folder]`: writes the JavaScript of the package there, or of all packages. TypeScript checks the
// sources and writes the declarations.
//
// What an entry of a package needs at once becomes one file, and what it loads later another. All of gw itself is one
// file, with the code of the packages in it: to find and compile a hundred files takes longer than all else of a start.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { buildPage } from "./page.mjs";
import { root } from "./setup.mjs";

const common = {
  outdir: "dist",
  entryNames: "[name]",
  bundle: true,
  platform: "node",
  target: "node20.19",
  // For breakpoints and stack traces in TypeScript; Node reads them with --enable-source-maps only.
  sourcemap: "linked",
  logLevel: "warning",
  write: false,
};

/** Writes `dist/*.js` of the package in `folder`. Rejects where the sources cannot be bundled. */
async function bundle(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const exported = Object.values(exports).flatMap(one => one.default ?? []);
  const entries = exported.map(file => file.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts"));
  const { outputFiles } = await (entries.length > 0 ? bundlePackage(folder, entries) : bundleProgram(folder));
  const dist = join(folder, "dist");
  for (const { path, contents } of outputFiles) update(path, contents);
  const written = new Set(outputFiles.map(({ path }) => path));
  for (const name of readdirSync(dist, { recursive: true })) {
    const path = join(dist, name);
    if (/\.(?:c?js|script)(?:\.map)?$/.test(name) && !written.has(path)) rmSync(path, { force: true });
  }
}

/** A package for programs of others: other packages are loaded from where they are, each once in a process. */
function bundlePackage(folder, entryPoints) {
  return build({
    ...common,
    absWorkingDir: folder,
    entryPoints,
    splitting: true,
    packages: "external",
    format: "esm",
    charset: "utf8",
  });
}

/** Parts of gw that are one instance each, whichever of its files load them. */
const shared = ["src/process/events.ts", "src/process/code-cache.ts"];
/** A program that gw runs. */
const helper = "src/demo/etcd-supervisor-process.ts";
/** Loaded when they are needed, which is rare, and from where npm installs them. */
const external = ["yaml", "zod"];

/** Parts of Node that take long to load and that many starts do not need. */
const lazy = ["node:child_process", "node:dns/promises", "node:fs/promises"];

/** gw: as CommonJS, which loads faster than modules, and in ASCII, which V8 reads fastest; with its live page. */
async function bundleProgram(folder) {
  // First of all, or it would not be strict.
  const prologue = '"use strict";const moduleUrl=require("node:url").pathToFileURL(__filename).href;';
  const options = {
    ...common,
    absWorkingDir: folder,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    conditions: ["@gw/source"],
    external,
    // A start reads all of it. Nothing may depend on the names of functions and classes; source maps have them.
    minify: true,
    define: { "import.meta.url": "moduleUrl" },
    banner: { js: prologue },
    metafile: true,
  };
  const results = await Promise.all([
    build({ ...options, entryPoints: [...shared, helper] }),
    build({
      ...options,
      entryPoints: ["src/main.ts"],
      outExtension: { ".js": ".script" },
      // A function, as `code-cache.ts` runs it.
      banner: { js: `${digestLine("")}\n(function(exports,require,module,__filename){${prologue}` },
      footer: { js: "})" },
      plugins: [sharedFiles(shared.map(file => join(folder, file))), lazyParts()],
      // Code that comes from the cache cannot import.
      supported: { "dynamic-import": false },
    }),
  ]);
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const page = await buildPage();
  const licences = Buffer.from(licencesOf([...inputs.map(path => join(folder, path)), ...page.bundled]));
  const outputFiles = results.flatMap(result => result.outputFiles).map(withDigest);
  return {
    outputFiles: [
      ...outputFiles,
      ...page.files.map(({ name, contents }) => ({ path: join(folder, "dist/page", name), contents })),
      { path: join(folder, "dist/third-party-notices.txt"), contents: licences },
    ],
  };
}

/** The script with the digest of what follows its first line. */
function withDigest({ path, text, contents }) {
  if (!path.endsWith(".script")) return { path, contents };
  const rest = text.slice(digestLine("").length);
  return { path, contents: Buffer.from(digestLine(createHash("sha256").update(rest).digest("hex")) + rest) };
}

/** The first line of the script, by which its compiled code is recognised: of the same length for any digest. */
function digestLine(digest) {
  return `// sha256 ${digest.padEnd(64, "-")}`;
}

/** The licences of the packages of others among these files. */
function licencesOf(files) {
  const folders = files.flatMap(file => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  const texts = [...new Set(folders)].sort().map(folder => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const licence = readdirSync(folder).find(file => /^licen[cs]e/i.test(file));
    if (!licence) throw new Error(`${name} has no licence file`);
    return `${name} ${version}\n\n${readFileSync(join(folder, licence), "utf8").trim()}\n`;
  });
  return texts.join("\n\n");
}

/** Leaves these files out of all others, which load what is made of them. */
function sharedFiles(files) {
  return {
    name: "shared-files",
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const file = join(resolveDir, path).replace(/\.js$/, ".ts");
        if (kind === "entry-point" || !files.includes(file)) return undefined;
        return { path: `./${basename(file, ".ts")}.cjs`, external: true };
      });
    },
  };
}

/** Loads the {@link lazy} parts of Node only when something of theirs is used. */
function lazyParts() {
  const filter = new RegExp(`^(?:${lazy.join("|")})$`);
  return {
    name: "lazy-parts",
    setup({ onResolve, onLoad }) {
      onResolve({ filter }, ({ path, namespace }) =>
        namespace === "lazy" ? { path, external: true } : { path, namespace: "lazy" },
      );
      onLoad({ filter, namespace: "lazy" }, ({ path }) => {
        const getters = Object.keys(process.getBuiltinModule(path)).map(
          key => `get ${key}(){return require("${path}").${key}}`,
        );
        return { contents: `module.exports={${getters}}` };
      });
    },
  };
}

/** Replaces a file whose contents have changed in one step: a gateway may be loading it. */
function update(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
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
