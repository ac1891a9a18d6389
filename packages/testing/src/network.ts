import { type Outcome, runProgram } from "./program.js";
import { missing } from "./requirements.js";

/** A machine of a {@link Network}: a network namespace with two addresses. */
export interface NetworkHost {
  /** What runs a program there: goes before it and its arguments. */
  readonly within: readonly string[];
  /** Its address on the network that the hub is on as well. */
  readonly client: string;
  /** Its address on the network that the hosts have among themselves. */
  readonly peer: string;
  /** Takes it off the network of its peers, and puts it back. Nothing is told to anybody: packets are lost. */
  isolate(): Promise<void>;
  rejoin(): Promise<void>;
  /** Takes it off both networks, as when its power goes. */
  vanish(): Promise<void>;
}

/** Several machines on one, in network namespaces. `await using` removes them. */
export interface Network extends AsyncDisposable {
  /** What runs a program on the machine that is connected with all hosts. */
  readonly within: readonly string[];
  readonly hosts: readonly NetworkHost[];
}

let networks = 0;

/** Makes `size` hosts and a hub. Needs `ip` and root; see {@link noNetworks}. */
export async function createNetwork(size: number): Promise<Network> {
  networks += 1;
  const prefix = `gwt${process.pid}x${networks}`;
  const hub = `${prefix}h`;
  const namespaces = [hub];
  const remove = async (): Promise<void> => {
    for (const namespace of namespaces) await ip("netns", "del", namespace);
  };
  const inHub = (...args: readonly string[]): Promise<Outcome> => must("-n", hub, ...args);
  const connect = async (namespace: string, side: "c" | "p", number: number): Promise<string> => {
    const address = `10.66.${side === "c" ? 1 : 2}.${number + 1}`;
    const port = `${side}${number}`;
    await inHub("link", "add", port, "type", "veth", "peer", "name", side, "netns", namespace);
    await inHub("link", "set", port, "master", side === "c" ? "clients" : "peers", "up");
    await must("-n", namespace, "address", "add", `${address}/24`, "dev", side);
    await must("-n", namespace, "link", "set", side, "up");
    return address;
  };
  try {
    await must("netns", "add", hub);
    await inHub("link", "set", "lo", "up");
    for (const bridge of ["clients", "peers"]) await inHub("link", "add", bridge, "type", "bridge");
    for (const bridge of ["clients", "peers"]) await inHub("link", "set", bridge, "up");
    await inHub("address", "add", "10.66.1.1/24", "dev", "clients");
    const hosts: NetworkHost[] = [];
    for (let number = 1; number <= size; number++) {
      const namespace = `${prefix}n${number}`;
      await must("netns", "add", namespace);
      namespaces.push(namespace);
      await must("-n", namespace, "link", "set", "lo", "up");
      const set = async (side: string, state: "up" | "down"): Promise<void> => {
        await inHub("link", "set", `${side}${number}`, state);
      };
      hosts.push({
        within: ["ip", "netns", "exec", namespace],
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
    return { within: ["ip", "netns", "exec", hub], hosts, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Whether to skip tests that need a {@link Network}; under CI it is an error, as with {@link missing}. */
export function noNetworks(): string | false {
  const isRoot = process.getuid?.() === 0;
  if (process.platform === "linux" && isRoot) return missing("ip");
  if (process.env["CI"])
    throw new Error("CI must run the tests that make network namespaces, as root on Linux");
  return "network namespaces need root, on Linux";
}

function ip(...args: readonly string[]): Promise<Outcome> {
  return runProgram("ip", args);
}

async function must(...args: readonly string[]): Promise<Outcome> {
  const outcome = await ip(...args);
  if (outcome.code !== 0) throw new Error(`ip ${args.join(" ")}: ${outcome.stderr}`);
  return outcome;
}
