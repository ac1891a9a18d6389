// Compiles the native relay: `node build.mjs`, for this machine. Where there is no C compiler it prints that and
// succeeds; gw then runs on the TypeScript relay. `--target arm64` compiles for another, `--all` for every machine that
// a release has a binary for; what these cannot build is an error.
//
// Nothing is linked, not even libc: the process that loads the binary has all the symbols. So one binary works with
// every glibc and with musl. A release is compiled with the headers of glibc: its types are the larger ones.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const sources = readdirSync(join(folder, "native"), { recursive: true })
  .filter(file => /\.[ch]$/.test(file))
  .sort();

/** Returns `built`, `up-to-date`, or why it was not built. Does not throw where there is no compiler. */
export function buildNative(arch = process.arch) {
  if (process.platform !== "linux") return `it is for Linux, and this is ${process.platform}`;
  const compiler = arch === process.arch ? process.env.CC || "cc" : targets[arch]?.compiler;
  if (!compiler) return `no compiler is known for ${arch}`;
  const flags = [...commonFlags, ...(targets[arch]?.flags ?? [])];
  const output = join(folder, "prebuilt", `linux-${arch}.node`);
  const stamp = `${output}.from`;
  const digest = digestOf(compiler, flags);
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

/** The machines of a release. */
const targets = {
  x64: { compiler: "x86_64-linux-gnu-gcc", flags: [] },
  // Otherwise atomics are functions of libgcc, which choose the instruction at run time.
  arm64: { compiler: "aarch64-linux-gnu-gcc", flags: ["-mno-outline-atomics"] },
};
const commonFlags = [
  "-std=gnu11",
  "-O2",
  "-Wall",
  "-Wextra",
  "-fstack-protector-strong",
  // Only glibc has the checked functions.
  "-U_FORTIFY_SOURCE",
  "-shared",
  "-fPIC",
  "-fvisibility=hidden",
  "-nostdlib",
  // A missing symbol fails the loading, not the first call.
  "-Wl,-z,now,-z,relro",
  "-s",
];

/** A digest of all that determines the binary. */
function digestOf(compiler, flags) {
  const digest = createHash("sha256").update(JSON.stringify([compiler, flags]));
  for (const file of sources) digest.update(readFileSync(join(folder, "native", file))).update("\0");
  return digest.digest("hex");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [option, target] = process.argv.slice(2);
  const wanted = option === "--all" ? Object.keys(targets) : option === "--target" ? [target] : [];
  for (const arch of wanted.length > 0 ? wanted : [process.arch]) {
    const outcome = buildNative(arch);
    console.error(`native relay for ${arch}: ${outcome}`);
    if (wanted.length > 0 && outcome !== "built" && outcome !== "up-to-date") process.exitCode = 1;
  }
}
