import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { missing, type Outcome, runProgram, startProgram } from "./program.js";

/** Options of {@link createIsolation}. */
export interface IsolationOptions {
  /** What files of this machine contain for programs inside, by absolute path. */
  readonly files?: { readonly [path: string]: string };
  /** Commands of sh that set up a separate network, whose loopback is up. @default the network is shared */
  readonly network?: readonly string[];
}

/** Namespaces in which programs see other files or another network. `await using` removes them. */
export interface Isolation extends AsyncDisposable {
  /** Command and arguments that run a program inside when placed before it. The program keeps the process id. */
  readonly commandPrefix: readonly string[];
  /** Replaces the content of one of the files. */
  write(path: string, text: string): Promise<void>;
}

/** Creates namespaces for mounts and, if given, the network. Needs root on Linux; see {@link noIsolation}. */
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
  return { commandPrefix: enter, write, [Symbol.asyncDispose]: dispose };
}

/** A host of a {@link Network}: a network namespace with two addresses. */
export interface NetworkHost {
  /** Command and arguments that run a program on this host when placed before it. */
  readonly commandPrefix: readonly string[];
  /** Its address on the network that the hub is on as well. */
  readonly client: string;
  /** Its address on the network of the hosts. */
  readonly peer: string;
  /** Disconnects it from its peers. No connection is closed: packets are lost. */
  isolate(): Promise<void>;
  /** Connects it with its peers again. */
  rejoin(): Promise<void>;
  /** Disconnects it from both networks, as a power failure does. */
  vanish(): Promise<void>;
}

/** Several hosts on one machine, in network namespaces. `await using` removes them. */
export interface Network extends AsyncDisposable {
  /** Command and arguments that run a program on the hub, which reaches all hosts, when placed before it. */
  readonly commandPrefix: readonly string[];
  readonly hosts: readonly NetworkHost[];
}

let networks = 0;

/** Creates `size` hosts and a hub. Needs `ip` and root; see {@link noNetworks}. */
export async function createNetwork(size: number): Promise<Network> {
  networks += 1;
  const prefix = `gwt${process.pid}x${networks}`;
  const hub = `${prefix}h`;
  const namespaces = [hub];
  const remove = async (): Promise<void> => {
    for (const namespace of namespaces) await ip("netns", "del", namespace);
  };
  const inHub = (...args: readonly string[]): Promise<Outcome> => runIp("-n", hub, ...args);
  const connect = async (namespace: string, side: "c" | "p", number: number): Promise<string> => {
    const address = `10.66.${side === "c" ? 1 : 2}.${number + 1}`;
    const port = `${side}${number}`;
    await inHub("link", "add", port, "type", "veth", "peer", "name", side, "netns", namespace);
    await inHub("link", "set", port, "master", side === "c" ? "clients" : "peers", "up");
    await runIp("-n", namespace, "address", "add", `${address}/24`, "dev", side);
    await runIp("-n", namespace, "link", "set", side, "up");
    return address;
  };
  try {
    await runIp("netns", "add", hub);
    await inHub("link", "set", "lo", "up");
    for (const bridge of ["clients", "peers"]) await inHub("link", "add", bridge, "type", "bridge");
    for (const bridge of ["clients", "peers"]) await inHub("link", "set", bridge, "up");
    await inHub("address", "add", "10.66.1.1/24", "dev", "clients");
    const hosts: NetworkHost[] = [];
    for (let number = 1; number <= size; number++) {
      const namespace = `${prefix}n${number}`;
      await runIp("netns", "add", namespace);
      namespaces.push(namespace);
      await runIp("-n", namespace, "link", "set", "lo", "up");
      const set = async (side: string, state: "up" | "down"): Promise<void> => {
        await inHub("link", "set", `${side}${number}`, state);
      };
      hosts.push({
        commandPrefix: ["ip", "netns", "exec", namespace],
        client: await connect(namespace, "c", number),
        peer: await connect(namespace, "p", number),
        isolate: () => set("p", "down"),
        rejoin: () => set("p", "up"),
        vanish: async () => {
          await set("p", "down");
          await set("c", "down");
        },
      });
    }
    return { commandPrefix: ["ip", "netns", "exec", hub], hosts, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

function ip(...args: readonly string[]): Promise<Outcome> {
  return runProgram("ip", args);
}

async function runIp(...args: readonly string[]): Promise<Outcome> {
  const outcome = await ip(...args);
  if (outcome.code !== 0) throw new Error(`ip ${args.join(" ")}: ${outcome.stderr}`);
  return outcome;
}

/** Whether to skip tests that need an {@link Isolation}; under CI an error, as with {@link missing}. */
export function noIsolation(): string | false {
  return missingNamespaces("unshare", "nsenter", "mount", "ip");
}

/** Whether to skip tests that need a {@link Network}; under CI an error, as with {@link missing}. */
export function noNetworks(): string | false {
  return missingNamespaces("ip");
}

function missingNamespaces(...programs: readonly string[]): string | false {
  if (process.platform === "linux" && process.getuid?.() === 0) return missing(...programs);
  if (process.env["CI"]) throw new Error("CI must run the tests that make namespaces, as root on Linux");
  return "namespaces need root, on Linux";
}
