// Compiles the native relay: `node build.mjs`, for this machine. Where there is no C compiler it says so and is
// done; gw then runs on the TypeScript relay. `--target arm64` compiles for another, if its compiler is there.
//
// Nothing is linked, not even libc: the process that loads it has all the symbols. So one binary serves glibc of
// every age and musl alike.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const sources = readdirSync(join(folder, "native")).sort();

/** Tells `built`, `up-to-date`, or why not. Never throws for want of a compiler. */
export function buildNative(arch = process.arch) {
  if (process.platform !== "linux") return `it is for Linux, and this is ${process.platform}`;
  const compiler = arch === process.arch ? process.env.CC || "cc" : crossCompilers[arch];
  if (!compiler) return `no compiler is known for ${arch}`;
  const output = join(folder, "prebuilt", `linux-${arch}.node`);
  const stamp = `${output}.from`;
  const digest = digestOf(compiler);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return "up-to-date";
  mkdirSync(dirname(output), { recursive: true });
  const unfinished = `${output}.${process.pid}`;
  const headers = createRequire(import.meta.url)("node-api-headers").include_dir;
  const files = sources.filter(file => file.endsWith(".c")).map(file => join(folder, "native", file));
  const result = spawnSync(compiler, [...flags, `-I${headers}`, ...files, "-o", unfinished], {
    encoding: "utf8",
  });
  if (result.error) return `no C compiler: ${result.error.message}`;
  if (result.status !== 0) {
    rmSync(unfinished, { force: true });
    return `${compiler} failed:\n${result.stderr}`;
  }
  renameSync(unfinished, output);
  writeFileSync(stamp, digest);
  return "built";
}

const crossCompilers = { x64: "x86_64-linux-gnu-gcc", arm64: "aarch64-linux-gnu-gcc" };
const flags = [
  "-std=gnu11",
  "-O2",
  "-Wall",
  "-Wextra",
  "-shared",
  "-fPIC",
  "-fvisibility=hidden",
  "-nostdlib",
  "-s",
];

/** Of all that decides what comes out. */
function digestOf(compiler) {
  const digest = createHash("sha256").update(JSON.stringify([compiler, flags]));
  for (const file of sources) digest.update(readFileSync(join(folder, "native", file))).update("\0");
  return digest.digest("hex");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const target = process.argv[2] === "--target" ? process.argv[3] : undefined;
  const outcome = buildNative(target);
  console.error(`native relay: ${outcome}`);
}
