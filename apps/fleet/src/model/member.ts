import type { Clock } from "@gw/interface";
import { coresPerMember } from "./costs.js";

/** A client's connection, as the member sees it. */
export interface MemberConnection {
  /** The member has ended it: `shutdown` in an orderly manner, `crash` by a reset. */
  ended(how: "shutdown" | "crash"): void;
  /** The member can answer what the client waits for. */
  serve(): void;
}

/**
 * One etcd member:
 *
 * - `running`: it answers
 * - `stopped`: its machine refuses connections
 * - `hung`: it accepts connections, keeps those it has, and answers nothing
 */
export class Member {
  readonly host: string;
  readonly id: string;
  readonly #clock: Clock;
  state: "running" | "stopped" | "hung" = "running";
  /** Whether its peers cannot reach it; clients can. */
  isCutOff = false;
  /** Who it takes for the leader; undefined if it knows none. */
  leader: Member | undefined;
  /** Since when it has not served requests that the cluster has to agree on; undefined if it does. */
  failedSince: number | undefined = 0;
  /** How often it was started: connections do not outlast the process. */
  starts = 1;
  readonly connections: Set<MemberConnection> = new Set();
  /** Those whose clients wait for an answer. */
  readonly waiting: Set<MemberConnection> = new Set();
  #freeAt = 0;

  constructor(number: number, clock: Clock) {
    this.host = `m${number}.etcd.test.`;
    this.id = `m${number}`;
    this.#clock = clock;
  }

  /** Whether it and its peers can talk to each other. */
  get isConnected(): boolean {
    return this.state === "running" && !this.isCutOff;
  }

  /** Takes on work of so many milliseconds of CPU. Returns when it will be done, in milliseconds from now. */
  work(cpuMs: number): number {
    const now = this.#clock.now();
    this.#freeAt = Math.max(now, this.#freeAt) + cpuMs / coresPerMember;
    return this.#freeAt - now;
  }

  /** How long a request waits before the member gets to it, in milliseconds. */
  get backlogMs(): number {
    return Math.max(0, this.#freeAt - this.#clock.now());
  }
}
