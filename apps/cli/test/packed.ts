// The packages as their users get them: packed, and installed with npm in a folder outside of the repository.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Outcome, type Program, runProgram, startProgram } from "@gw/testing";
import { onTestFinished } from "vitest";

/** The folder of the repository. */
export const root: string = fileURLToPath(new URL("../../..", import.meta.url));

/** A package that a release publishes. */
export interface Package {
  readonly name: string;
  /** Relative to {@link root}. */
  readonly folder: string;
  readonly manifest: {
    readonly engines: { readonly node: string };
    readonly dependencies?: { readonly [name: string]: string };
  };
}

/** All packages of the workspace but the private ones. */
export const published: readonly Package[] = ["packages", "apps"].flatMap(parent =>
  readdirSync(join(root, parent)).flatMap(child => {
    const folder = join(parent, child);
    const file = join(root, folder, "package.json");
    // A folder may be left from another commit, with nothing but what git ignores.
    const manifest = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { private: true };
    return manifest.private ? [] : [{ name: manifest.name, folder, manifest }];
  }),
);

/** An empty folder that `await using` removes. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "gw-packed-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Packs every published package into `folder`; resolves with the tarballs, by package name. */
export async function packAll(folder: string): Promise<ReadonlyMap<string, string>> {
  const filters = published.map(({ name }) => `--filter=${name}`);
  const args = ["--recursive", ...filters, "pack", "--json", `--pack-destination=${folder}`];
  const { stdout } = await succeed(runProgram(join(root, "node_modules/.bin/pnpm"), args, { cwd: root }));
  const packed: { readonly name: string; readonly filename: string }[] = JSON.parse(stdout);
  return new Map(packed.map(({ name, filename }) => [name, filename]));
}

/** Makes `folder`, and installs these tarballs in it as a user installs packages. */
export async function install(folder: string, tarballs: Iterable<string>): Promise<void> {
  await mkdir(folder);
  // npm takes the next folder up that has a package.json for the project if this one has none.
  await writeFile(join(folder, "package.json"), "{}\n");
  const args = ["install", "--no-audit", "--no-fund", ...tarballs];
  const npm = startProgram("npm", args, { cwd: folder, detached: true });
  const limit = setTimeout(() => npm.kill("SIGKILL"), 120_000);
  await succeed(npm.exit).finally(() => clearTimeout(limit));
}

/** Passes the outcome of a program on if its exit code is 0. */
export async function succeed(running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  if (outcome.code === 0) return outcome;
  throw new Error(`exit code ${outcome.code ?? outcome.signal}:\n${outcome.stdout}${outcome.stderr}`);
}

/**
 * Type-checks `file` of `folder` as strictly as a user may, our declarations included. Compiles it as well
 * where modules are resolved as Node does, which for a file named `.mts` makes one named `.mjs`.
 */
export function compile(folder: string, file: string, resolution: "nodenext" | "bundler"): Promise<Outcome> {
  const flags = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: "es2023",
    module: resolution === "nodenext" ? "nodenext" : "esnext",
    moduleResolution: resolution,
    noEmit: resolution === "bundler",
    // The compiler and Node's types are those of the repository.
    typeRoots: join(root, "node_modules/@types"),
    types: "node",
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  return runNode(folder, join(root, "node_modules/typescript/bin/tsc"), "--ignoreConfig", ...args, file);
}

/** Runs Node in `folder`, to an end with exit code 0. */
export function runNode(folder: string, ...args: readonly string[]): Promise<Outcome> {
  return succeed(startInTest(folder, process.execPath, args).exit);
}

/** Starts what a user would type in `folder`. A gateway listens on a free port where nothing says which. */
export function startCommand(folder: string, command: string): Program {
  return startInTest(folder, "sh", ["-c", `exec ${command}`]);
}

/** Starts a program that ends with the test. */
function startInTest(cwd: string, command: string, args: readonly string[]): Program {
  // npx must find the package in the folder, and never fetch one.
  const env = { GW_LISTEN_ADDR: "127.0.0.1:0", npm_config_yes: "false" };
  const program = startProgram(command, args, { cwd, env, detached: true });
  let ended = false;
  const exit = program.exit.finally(() => {
    ended = true;
  });
  // Also where the test is given up at its time limit, and where npx is gone and what it started is not.
  onTestFinished(async () => {
    try {
      if (!ended) process.kill(-program.pid, "SIGKILL");
    } catch {
      // Gone, and only its end is not known yet.
    }
    await exit;
  });
  return program;
}

/** Sends SIGTERM to gw itself: npx and npm put a shell in between, which passes no signal on. */
export async function terminate(command: Program): Promise<void> {
  for (const pid of await readdir("/proc")) {
    const stat = await readFile(join("/proc", pid, "stat"), "utf8").catch(() => "");
    const [, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(group) !== command.pid) continue;
    const [program = ""] = (await readFile(join("/proc", pid, "cmdline"), "utf8")).split("\0");
    if (basename(program) === "node") return void process.kill(Number(pid), "SIGTERM");
  }
  throw new Error(`no node among the processes of:\n${command.output}`);
}
