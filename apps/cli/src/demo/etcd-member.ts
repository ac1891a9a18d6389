import { type Address, GatewayError } from "@gw/interface";
import type { Member } from "./cluster.js";
import { httpGet } from "./http-get.js";
import type { Keeper, KeptProcess } from "./keeper.js";
import { wait } from "./wait.js";

/** How long a member may take from its start until it is healthy, in milliseconds. */
const startWithinMs = 30_000;
const pollMs = 100;

/** A member that is an etcd process, run by `keeper` with `args`, which takes clients at `address`. */
export function etcdMember(name: string, address: Address, keeper: Keeper, args: readonly string[]): Member {
  return new EtcdMember(name, address, keeper, args);
}

class EtcdMember implements Member {
  readonly name: string;
  readonly address: Address;
  readonly #keeper: Keeper;
  readonly #args: readonly string[];
  #process: KeptProcess | undefined;

  constructor(name: string, address: Address, keeper: Keeper, args: readonly string[]) {
    this.name = name;
    this.address = address;
    this.#keeper = keeper;
    this.#args = args;
  }

  get running(): boolean {
    return this.#process?.ended.aborted === false;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#process = this.#keeper.run(this.name, this.#args);
    try {
      await this.#healthy(this.#process.ended, signal);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#process?.kill();
  }

  /** Polls until the member says that it can serve, which takes a majority of the members. */
  async #healthy(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    const latest = performance.now() + startWithinMs;
    let why = "it was not asked";
    while (performance.now() < latest) {
      signal.throwIfAborted();
      if (ended.aborted) throw new GatewayError("unknown", `${this.name}: etcd ended: ${ended.reason}`);
      try {
        const { status, body } = await httpGet(this.address, "/health", { silenceMs: 2_000, signal });
        if (status === 200 && JSON.parse(body).health === "true") return;
        why = `/health says ${status} ${body}`;
      } catch (error) {
        why = GatewayError.from(error, "/health").detail;
      }
      await wait(pollMs, signal);
    }
    const seconds = startWithinMs / 1_000;
    throw new GatewayError("timed-out", `${this.name}: etcd is not healthy after ${seconds} s: ${why}`);
  }
}
