// `node page.mjs`: builds the live page, `apps/page/dist`, unless it is up to date.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "./setup.mjs";

const folder = join(root, "apps/page");
const dist = join(folder, "dist");
/** A digest of what the page was last built from. It is beside the page, so that it is removed with it. */
const stamp = join(dist, ".built-from");

/** The files of the page. Their names stay the same. */
const files = ["icon.svg", "index.html", "page.css", "page.js"];

/**
 * The files of the page, with the licences of the packages of others in it. Builds them where a source has changed, which
 * takes a second. Rejects where they cannot be built.
 */
export async function buildPage() {
  const sources = digestOfSources();
  if (!isBuilt(sources)) await build(sources);
  const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return {
    files: files.map(name => ({ name, contents: readFileSync(join(dist, name)) })),
    bundled: Object.keys(dependencies).map(name => join(folder, "node_modules", name, "package.json")),
  };
}

function isBuilt(sources) {
  return (
    [stamp, ...files.map(name => join(dist, name))].every(existsSync) &&
    readFileSync(stamp, "utf8") === sources
  );
}

/** Builds in another folder first: a gateway may be serving these files, and another build may be under way. */
async function build(sources) {
  const unfinished = join(folder, "node_modules", `.page-${process.pid}`);
  const { build: buildInto } = await import(pathToFileURL(join(folder, "build.mjs")).href);
  try {
    await buildInto(unfinished);
    mkdirSync(dist, { recursive: true });
    for (const name of files) renameSync(join(unfinished, name), join(dist, name));
    writeFileSync(stamp, sources);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A digest of all that decides what the page is. */
function digestOfSources() {
  const sources = readdirSync(join(folder, "src"), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort();
  const digest = createHash("sha256");
  const others = ["index.html", "public/icon.svg", "build.mjs", "package.json", "tsconfig.json"].map(name =>
    join(folder, name),
  );
  for (const file of [...others, join(root, "pnpm-lock.yaml"), ...sources])
    digest.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0");
  return digest.digest("hex");
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) await buildPage();
