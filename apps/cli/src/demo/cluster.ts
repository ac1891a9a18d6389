import { type Address, formatAddress } from "@gw/interface";

/** A member of a cluster that the demo runs. */
export interface Member {
  /** `member 1`. */
  readonly name: string;
  /** Where it serves clients; the same after each restart. */
  readonly address: Address;
  /** Whether it was started and has neither been stopped nor exited since. */
  readonly running: boolean;
  /**
   * Resolves when it serves clients. Rejects if it cannot, or if `signal` is aborted; then it does not run.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Ends it at once, as `kill -9` does: its connections are reset. Resolves when it has ended. */
  stop(): Promise<void>;
}

/** Three running members, and what the demo prints about them. */
export interface Cluster {
  readonly members: readonly Member[];
  /** One sentence about what the members are. */
  readonly description: string;
  /** Shell commands to try with the gateway at `address`, each with what it does. */
  commands(address: Address): readonly (readonly [what: string, command: string])[];
  /** Ends all members and removes their files. Called once. */
  close(): Promise<void>;
}

/** A shell command that puts `value` at `key` through the JSON form of etcd's API. */
export function curlPut(address: Address, key: string, value: string): string {
  return curl(address, "put", { key: base64(key), value: base64(value) });
}

/** A shell command that gets `key` through the JSON form of etcd's API. */
export function curlGet(address: Address, key: string): string {
  return curl(address, "range", { key: base64(key) });
}

/** A shell command that runs `etcdctl` with `args`. 3.3 and older use the v2 API unless the variable is set. */
export function etcdctl(address: Address, args: string): string {
  return `ETCDCTL_API=3 etcdctl --endpoints=${shellWord(formatAddress(address))} ${args}`;
}

function curl(address: Address, method: string, fields: object): string {
  return `curl ${shellWord(`http://${formatAddress(address)}/v3/kv/${method}`)} -d ${shellWord(JSON.stringify(fields))}`;
}

/** `text` as one word of a shell; some shells take the brackets of an IPv6 address for a pattern. */
function shellWord(text: string): string {
  return /^[\w.,:=/-]+$/.test(text) ? text : `'${text}'`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
