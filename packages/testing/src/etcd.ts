import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, type Program, runProgram, startProgram } from "./program.js";
import { freePort } from "./sockets.js";

/** One member of a real etcd cluster. */
export interface EtcdMember {
  readonly name: string;
  /** `127.0.0.1:port` of its client URL. */
  readonly endpoint: string;
  /** Ends the process with SIGKILL, as a crash would; resolves when it is gone. */
  crash(): Promise<void>;
  /** Starts it again with the data that it has; resolves when it serves. */
  restart(): Promise<void>;
}

/** A real etcd cluster on loopback. `await using` ends its processes and removes its folder. */
export interface EtcdCluster extends AsyncDisposable {
  readonly members: readonly EtcdMember[];
  /** The client endpoints, comma-separated. */
  readonly endpoints: string;
  /** The member with this endpoint. */
  member(endpoint: string): EtcdMember;
}

/** Starts `size` members; resolves when all serve. Needs `etcd` on the PATH. */
export async function startEtcd(size = 3): Promise<EtcdCluster> {
  const folder = await mkdtemp(join(tmpdir(), "gw-etcd-"));
  const ports = await Promise.all(Array.from({ length: size * 2 }, freePort));
  const plan = Array.from({ length: size }, (_, index) => ({
    name: `m${index}`,
    endpoint: `127.0.0.1:${ports[index]}`,
    peer: `http://127.0.0.1:${ports[size + index]}`,
  }));
  const initialCluster = plan.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const running = new Map<string, Program>();

  const members = plan.map(({ name, endpoint, peer }): EtcdMember => {
    const start = async (): Promise<void> => {
      const flags = {
        name,
        "data-dir": join(folder, name),
        "listen-client-urls": `http://${endpoint}`,
        "advertise-client-urls": `http://${endpoint}`,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": initialCluster,
        "initial-cluster-token": folder,
        "heartbeat-interval": "100",
        "election-timeout": "1000",
      };
      const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
      const program = startProgram("etcd", args, { cwd: folder });
      running.set(name, program);
      await program.printed(
        /ready to serve client requests|serving insecure client requests|serving client traffic/,
      );
    };
    return {
      name,
      endpoint,
      async crash() {
        await running.get(name)?.[Symbol.asyncDispose]();
      },
      restart: start,
    };
  });
  const cluster: EtcdCluster = {
    members,
    endpoints: plan.map(({ endpoint }) => endpoint).join(","),
    member(endpoint) {
      const found = members.find(member => member.endpoint === endpoint);
      if (!found) throw new Error(`no member has the endpoint ${endpoint}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(member => member.crash()));
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(members.map(member => member.restart()));
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

const environment = { ETCDCTL_API: "3" };

/** Runs `etcdctl` against one endpoint to its end. */
export function etcdctl(endpoint: string, ...args: readonly string[]): Promise<Outcome> {
  return runProgram("etcdctl", [`--endpoints=${endpoint}`, "--command-timeout=20s", ...args], {
    env: environment,
  });
}

/** Starts `etcdctl` against one endpoint and leaves it running, for `watch` and the like. */
export function startEtcdctl(endpoint: string, ...args: readonly string[]): Program {
  return startProgram("etcdctl", [`--endpoints=${endpoint}`, ...args], { env: environment });
}
