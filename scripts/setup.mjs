import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildNative } from "../packages/splice/build.mjs";

/** The folder of the repository. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** A hash of what was last installed. It is in node_modules, so that it is removed with it. */
const stamp = join(root, "node_modules", ".gw-installed");

/**
 * Installs and builds what is not installed and built yet. Needs Node and npm only, writes nothing to stdout,
 * and ends the process when it fails.
 */
export function setUp() {
  const wanted = whatToInstall();
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    // npx comes with npm, is a script on Windows, and fetches the very pnpm that the lockfile was made with.
    const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const options = ["install", "--frozen-lockfile", "--config.confirm-modules-purge=false"];
    run("npx", ["--yes", packageManager, ...options], { shell: process.platform === "win32" });
    writeFileSync(stamp, wanted);
  }
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b"]);
  run(process.execPath, [join(root, "scripts/bundle.mjs")]);
  const outcome = buildNative();
  if (outcome !== "up-to-date") console.error(`native relay: ${outcome}`);
}

/**
 * Runs a program of this repository in its folder, with the repository's own programs (pnpm, turbo) on the
 * PATH and its output on stderr. Ends the process when the program fails.
 */
export function run(command, args, options = {}) {
  const { status } = tryRun(command, args, options);
  if (status !== 0) process.exit(1);
}

/** Like {@link run}, but returns the result and does not end the process on failure. */
export function tryRun(command, args, options = {}) {
  const bin = join(root, "node_modules", ".bin");
  const separator = process.platform === "win32" ? ";" : ":";
  const env = {
    ...process.env,
    PATH: `${bin}${separator}${process.env.PATH}`,
    TURBO_TELEMETRY_DISABLED: "1",
  };
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], env, ...options });
  if (result.error) console.error(`cannot run ${command}: ${result.error.message}`);
  return { status: result.status };
}

/** A digest of all that decides what is installed. */
function whatToInstall() {
  const packages = ["packages", "apps"].flatMap(folder =>
    readdirSync(join(root, folder)).map(name => join(folder, name, "package.json")),
  );
  const digest = createHash("sha256");
  for (const file of ["package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml", ...packages])
    if (existsSync(join(root, file))) digest.update(readFileSync(join(root, file))).update("\0");
  return digest.digest("hex");
}
