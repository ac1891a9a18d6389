import type { Endpoint, GatewayError } from "@gw/interface";

/** What a pool should know about an endpoint. */
export interface ModelMember {
  endpoint: Endpoint;
  removed: boolean;
  /** When it is tried again, if it is set aside. */
  retryAtMs: number | undefined;
  /** Why it is set aside. */
  why: string;
  connections: number;
  /** The newest lease when a dial last succeeded. */
  provenAt: number;
}

/** What a pool should know about a lease. */
export interface ModelLease {
  readonly member: ModelMember;
  state: "dialling" | "connected" | "ended";
  /** How often its dial was revoked. */
  revoked: number;
  /** Whether it fails as soon as it is revoked, or when its client gets round to it. */
  readonly prompt: boolean;
  /** Which leases are older. */
  readonly order: number;
}

/**
 * The pool again, as simple as can be: no caches, no timers, no selector; it is told what was picked. It says
 * which events there should have been.
 */
export class PoolModel {
  members: ModelMember[] = [];
  readonly leases: ModelLease[] = [];
  readonly events: string[] = [];
  #nowMs = 0;
  /** Members that are gone, some of them with connections. */
  #left: readonly ModelMember[] = [];
  #current: ModelMember | undefined;
  #lastChanceSaid = false;
  readonly #retryDelayMs: number;

  constructor(retryDelayMs: number) {
    this.#retryDelayMs = retryDelayMs;
  }

  get aside(): readonly ModelMember[] {
    return this.members.filter(({ retryAtMs }) => retryAtMs !== undefined);
  }

  update(endpoints: readonly Endpoint[]): void {
    const before = this.members;
    const leaving = this.#left.filter(({ connections }) => connections > 0);
    this.members = endpoints.map(endpoint => {
      const known = [...before, ...leaving].find(member => member.endpoint.host === endpoint.host);
      if (known) Object.assign(known, { endpoint, removed: false });
      return (
        known ?? { endpoint, removed: false, retryAtMs: undefined, why: "", connections: 0, provenAt: 0 }
      );
    });
    for (const gone of before.filter(member => !this.members.includes(member))) {
      gone.removed = true;
      gone.retryAtMs = undefined;
      this.#revoke(gone);
    }
    this.#left = [...leaving, ...before].filter(member => !this.members.includes(member));
    this.#forgetLastChance();
    this.#sayLastChance();
  }

  /** Who may be offered to a client that has tried these hosts. */
  offered(tried: readonly string[]): readonly ModelMember[] {
    const untried = this.members.filter(({ endpoint }) => !tried.includes(endpoint.host));
    const up = untried.filter(({ retryAtMs }) => retryAtMs === undefined);
    const some = up.length > 0 ? up : untried;
    const best = Math.min(...some.map(({ endpoint }) => endpoint.priority));
    return some.filter(({ endpoint }) => endpoint.priority === best);
  }

  acquired(tried: readonly string[], host: string, prompt: boolean): ModelLease {
    const member = this.offered(tried).find(({ endpoint }) => endpoint.host === host);
    if (!member) throw new Error(`${host} must not be offered`);
    member.connections += 1;
    const lease: ModelLease = {
      member,
      state: "dialling",
      revoked: 0,
      prompt,
      order: this.leases.length + 1,
    };
    this.leases.push(lease);
    return lease;
  }

  connected(lease: ModelLease): void {
    if (lease.state !== "dialling") return;
    lease.state = "connected";
    const { member } = lease;
    if (member.removed) return;
    member.provenAt = this.leases.length;
    if (member.retryAtMs !== undefined) this.#takeBack(member);
    const last = this.#current;
    this.#current = member;
    const why = last && last !== member && whyLeft(last, member);
    if (why) this.events.push(`switched ${last.endpoint.host} to ${member.endpoint.host}: ${why}`);
  }

  failed(lease: ModelLease, error: GatewayError): void {
    if (lease.state !== "dialling") return;
    this.#end(lease);
    const { member } = lease;
    if (error.isLocal || member.removed || lease.order <= member.provenAt) return;
    member.why = error.detail;
    if (member.retryAtMs !== undefined) return;
    member.retryAtMs = this.#nowMs + this.#retryDelayMs;
    this.events.push(`aside ${member.endpoint.host}`);
    if (this.aside.length < this.members.length) this.#revoke(member);
    this.#sayLastChance();
  }

  released(lease: ModelLease): void {
    if (lease.state !== "ended") this.#end(lease);
  }

  /** Time goes on; whoever is due is probed, and up if `isUp` says so. */
  advance(ms: number, isUp: (host: string) => boolean, why: (host: string) => string): void {
    const untilMs = this.#nowMs + ms;
    for (let due = this.#nextDue(untilMs); due; due = this.#nextDue(untilMs)) {
      this.#nowMs = due.retryAtMs ?? untilMs;
      const { host } = due.endpoint;
      if (isUp(host)) this.#takeBack(due);
      else {
        due.retryAtMs = this.#nowMs + this.#retryDelayMs;
        due.why = why(host);
        this.events.push(`still aside ${host}`);
      }
    }
    this.#nowMs = untilMs;
  }

  #nextDue(untilMs: number): ModelMember | undefined {
    const due = this.aside.filter(({ retryAtMs = untilMs }) => retryAtMs <= untilMs);
    return due.sort((one, other) => (one.retryAtMs ?? 0) - (other.retryAtMs ?? 0))[0];
  }

  #takeBack(member: ModelMember): void {
    member.retryAtMs = undefined;
    this.events.push(`back ${member.endpoint.host}`);
    this.#forgetLastChance();
  }

  #sayLastChance(): void {
    if (this.#lastChanceSaid || this.members.length === 0 || this.aside.length < this.members.length) return;
    this.#lastChanceSaid = true;
    this.events.push("last chance");
  }

  #forgetLastChance(): void {
    if (this.aside.length < this.members.length) this.#lastChanceSaid = false;
  }

  #revoke(member: ModelMember): void {
    for (const lease of this.leases) {
      if (lease.member !== member || lease.state !== "dialling" || lease.revoked > 0) continue;
      lease.revoked += 1;
      if (lease.prompt) this.#end(lease);
    }
  }

  #end(lease: ModelLease): void {
    lease.state = "ended";
    lease.member.connections -= 1;
  }
}

function whyLeft(from: ModelMember, to: ModelMember): string | undefined {
  if (from.removed) return `${from.endpoint.host}:2379 is no longer an endpoint`;
  if (from.retryAtMs !== undefined) return from.why;
  const [before, after] = [from.endpoint.priority, to.endpoint.priority];
  return after < before ? `priority ${after} is preferred to ${before}` : undefined;
}
