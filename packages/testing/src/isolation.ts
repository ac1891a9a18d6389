import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { startProgram } from "./program.js";
import { missing } from "./requirements.js";

/** Options of {@link createIsolation}. */
export interface IsolationOptions {
  /** What stands in files that exist on this machine, by absolute path, for programs within alone. */
  readonly files?: { readonly [path: string]: string };
  /** Commands of sh that set up a network of its own, where loopback is up; without it the network is shared. */
  readonly network?: readonly string[];
}

/** Namespaces in which programs see other files or another network. `await using` removes them. */
export interface Isolation extends AsyncDisposable {
  /** What runs a program there: goes before it and its arguments. The program keeps the process id. */
  readonly within: readonly string[];
  /** Puts another text in one of the files. */
  write(path: string, text: string): Promise<void>;
}

/** Makes namespaces for mounts and, where asked for, the network. Needs root on Linux; see {@link noIsolation}. */
export async function createIsolation({ files = {}, network }: IsolationOptions): Promise<Isolation> {
  const folder = await mkdtemp(join(tmpdir(), "gw-isolation-"));
  const copy = (path: string): string => join(folder, basename(path));
  const write = (path: string, text: string): Promise<void> => writeFile(copy(path), text);
  for (const [path, text] of Object.entries(files)) await write(path, text);
  const commands = [
    ...Object.keys(files).map(path => `mount --bind ${copy(path)} ${path}`),
    ...(network ? ["ip link set lo up", ...network] : []),
    "echo ready",
    "exec sleep infinity",
  ];
  const namespaces = ["--mount", ...(network ? ["--net"] : [])];
  const holder = startProgram("unshare", [...namespaces, "sh", "-e", "-c", commands.join("\n")]);
  const dispose = async (): Promise<void> => {
    await holder[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  try {
    await holder.printed(/ready/);
  } catch (error) {
    await dispose();
    throw error;
  }
  const enter = ["nsenter", `--target=${holder.pid}`, ...namespaces, `--wd=${process.cwd()}`];
  return { within: enter, write, [Symbol.asyncDispose]: dispose };
}

/** Whether to skip tests that need an {@link Isolation}; under CI it is an error, as with {@link missing}. */
export function noIsolation(): string | false {
  const isRoot = process.getuid?.() === 0;
  if (process.platform === "linux" && isRoot) return missing("unshare", "nsenter", "mount", "ip");
  if (process.env["CI"]) throw new Error("CI must run the tests that make namespaces, as root on Linux");
  return "namespaces need root, on Linux";
}
