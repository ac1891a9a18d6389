import type { SimulatedClock } from "../clock.js";
import type { Random } from "../random.js";
import { Member } from "./member.js";

/** How long followers wait for a leader that is gone, in milliseconds: from the election timeout of etcd to half more. */
const electionMs = { least: 1_000, most: 1_500 } as const;
/** A leader that is shut down hands over. */
const handoverMs = 100;
/** After it can reach its peers again, a member knows the leader after this time, in milliseconds. */
const joinMs = 200;

/** An etcd cluster: its members, who leads them, and whom they serve. */
export class Cluster {
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #members = new Map<string, Member>();
  #voters: Member[] = [];
  #leader: Member | undefined;
  #term = 1;
  #cancelElection: (() => void) | undefined;

  constructor(clock: SimulatedClock, random: Random, size: number) {
    this.#clock = clock;
    this.#random = random;
    for (let number = 1; number <= size; number++) this.add();
  }

  /** Those that belong to the cluster now. */
  get voters(): readonly Member[] {
    return this.#voters;
  }

  /** All that ever belonged to it. */
  get members(): Iterable<Member> {
    return this.#members.values();
  }

  get leader(): Member | undefined {
    return this.#leader;
  }

  get term(): number {
    return this.#term;
  }

  /** The member at an address, whether it belongs to the cluster or not. */
  at(host: string): Member {
    return this.#members.get(host) as Member;
  }

  /** Whether a member serves requests that the cluster has to agree on. */
  serves(member: Member): boolean {
    return member.isConnected && this.#leader !== undefined && member.leader === this.#leader;
  }

  /** A new member joins. */
  add(): Member {
    const member = new Member(this.#members.size + 1, this.#clock);
    this.#members.set(member.host, member);
    this.#voters.push(member);
    this.#reconsider();
    return member;
  }

  /** `member` leaves the cluster, and is shut down. */
  remove(member: Member): void {
    this.#voters = this.#voters.filter(voter => voter !== member);
    this.stop(member, "shutdown");
  }

  stop(member: Member, how: "shutdown" | "crash"): void {
    if (member.state === "stopped") return;
    member.state = "stopped";
    const isHandover = how === "shutdown" && member === this.#leader;
    this.#reconsider(isHandover ? handoverMs : undefined);
    member.leader = undefined;
    const connections = [...member.connections];
    member.connections.clear();
    member.waiting.clear();
    for (const connection of connections) connection.ended(how);
  }

  /** The process is stopped as by SIGSTOP. */
  hang(member: Member): void {
    member.state = "hung";
    this.#reconsider();
  }

  /** `member` runs again. */
  start(member: Member): void {
    if (member.state === "running") return;
    if (member.state === "stopped") member.starts += 1;
    member.state = "running";
    this.#reconsider();
  }

  /** The network between `member` and its peers fails, or works again. */
  cutOff(member: Member, isCutOff: boolean): void {
    member.isCutOff = isCutOff;
    this.#reconsider();
  }

  /** Something has changed: there may have to be an election, and members may learn of a leader or lose it. */
  #reconsider(withinMs = this.#electionTimeout()): void {
    const connected = this.#connectedVoters();
    if (this.#leader && !connected.includes(this.#leader)) this.#leader = undefined;
    if (!this.#leader && connected.length > 0)
      this.#cancelElection ??= this.#clock.after(this.#term === 1 ? 0 : withinMs, () => this.#elect());
    for (const member of this.#members.values()) {
      if (member.leader === this.#leaderOf(member)) continue;
      const delayMs = this.#leaderOf(member) ? joinMs : this.#electionTimeout();
      this.#clock.after(delayMs, () => {
        member.leader = this.#leaderOf(member);
        this.#serve();
      });
    }
    this.#serve();
  }

  #elect(): void {
    this.#cancelElection = undefined;
    const connected = this.#connectedVoters();
    if (connected.length === 0) return;
    this.#leader = connected[Math.floor(this.#random() * connected.length)];
    this.#term += 1;
    for (const member of connected) member.leader = this.#leader;
    this.#serve();
  }

  /** Notes which members serve now, and answers what waits there. */
  #serve(): void {
    for (const member of this.#members.values()) {
      if (!this.serves(member)) member.failedSince ??= this.#clock.now();
      else {
        member.failedSince = undefined;
        for (const connection of [...member.waiting]) connection.serve();
      }
    }
  }

  /** The voters that reach each other, if they are a majority; else none. */
  #connectedVoters(): readonly Member[] {
    const connected = this.#voters.filter(({ isConnected }) => isConnected);
    return connected.length > this.#voters.length / 2 ? connected : [];
  }

  /** Whom `member` will take for the leader. */
  #leaderOf(member: Member): Member | undefined {
    return this.#connectedVoters().includes(member) ? this.#leader : undefined;
  }

  #electionTimeout(): number {
    return electionMs.least + this.#random() * (electionMs.most - electionMs.least);
  }
}
