import type { Endpoint, GatewayError, Verdict } from "@gw/interface";

/** What a pool should know about an endpoint. */
export interface ModelMember {
  endpoint: Endpoint;
  removed: boolean;
  /** Why it is set aside, and when it is tried again. */
  aside: ModelAside | undefined;
  /** The newest verdict while it is up: why it is bad, or that it is good. */
  verdict: { readonly why: string | undefined } | undefined;
  connections: number;
  /** The newest lease when a dial last succeeded. */
  provenAt: number;
}

interface ModelAside {
  retryAtMs: number;
  /** Which of those that are due at the same time are tried first. */
  turn: number;
  why: string;
  unhealthy: boolean;
  deep: boolean;
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
  #turns = 0;
  /** Members that are gone, some of them with connections. */
  #left: readonly ModelMember[] = [];
  #current: ModelMember | undefined;
  #panic: string | undefined;
  readonly #retryDelayMs: number;

  constructor(retryDelayMs: number) {
    this.#retryDelayMs = retryDelayMs;
  }

  get aside(): readonly ModelMember[] {
    return this.members.filter(({ aside }) => aside);
  }

  get allDown(): boolean {
    return this.members.length > 0 && this.members.every(({ aside }) => aside);
  }

  update(endpoints: readonly Endpoint[]): void {
    const before = this.members;
    const leaving = this.#left.filter(({ connections }) => connections > 0);
    this.members = endpoints.map(endpoint => {
      const known = [...before, ...leaving].find(member => member.endpoint.host === endpoint.host);
      if (known?.removed) Object.assign(known, { removed: false, aside: undefined, verdict: undefined });
      const fresh = { removed: false, aside: undefined, verdict: undefined, connections: 0, provenAt: 0 };
      return Object.assign(known ?? fresh, { endpoint });
    });
    for (const gone of before.filter(member => !this.members.includes(member))) {
      gone.removed = true;
      this.#revoke(gone);
    }
    this.#left = [...leaving, ...before].filter(member => !this.members.includes(member));
    this.#assess();
  }

  /** Who may be offered to a client that has tried these hosts. */
  offered(tried: readonly string[]): readonly ModelMember[] {
    const untried = this.members.filter(({ endpoint }) => !tried.includes(endpoint.host));
    const usable = untried.filter(member => this.#isUsable(member));
    const some = usable.length > 0 ? usable : untried;
    return some.filter(({ endpoint }) => endpoint.priority === bestOf(some));
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
    if (member.aside && !member.aside.deep) this.#takeBack(member);
    const last = this.#current;
    this.#current = member;
    const why = last && last !== member && whyLeft(last, member);
    if (why) this.events.push(`failover ${last.endpoint.host} to ${member.endpoint.host}: ${why}`);
  }

  failed(lease: ModelLease, error: GatewayError): void {
    if (lease.state !== "dialling") return;
    this.#end(lease);
    const { member } = lease;
    if (error.isLocal || member.removed || lease.order <= member.provenAt) return;
    const { aside } = member;
    if (aside) {
      aside.why = error.detail;
      if (error.code === "refused") aside.deep = false;
      this.#assess();
    } else this.#endpointDown(member, error, false, false);
  }

  released(lease: ModelLease): void {
    if (lease.state !== "ended") this.#end(lease);
  }

  report(host: string, { error, scope, connectable }: Verdict, elsewhere: boolean): void {
    const member = this.members.find(({ endpoint }) => endpoint.host === host);
    if (!member || member.aside?.unhealthy) return;
    const leaves = error !== undefined && (scope === "endpoint" || elsewhere);
    if (member.aside && !leaves) return;
    member.verdict = { why: error?.detail };
    if (leaves) this.#endpointDown(member, error, true, connectable ?? error.code !== "refused");
    else this.#assess();
  }

  /** Time goes on; whoever is due is probed, and up if `isUp` says so. */
  advance(ms: number, isUp: (host: string) => boolean, why: (host: string) => string): void {
    const untilMs = this.#nowMs + ms;
    for (let due = this.#nextDue(untilMs); due; due = this.#nextDue(untilMs)) {
      this.#nowMs = due.aside?.retryAtMs ?? untilMs;
      const { host } = due.endpoint;
      if (isUp(host)) this.#takeBack(due);
      else {
        Object.assign(due.aside ?? {}, { ...this.#nextRetry(), why: why(host) });
        this.events.push(`still down ${host}`);
      }
    }
    this.#nowMs = untilMs;
  }

  #isUsable(member: ModelMember): boolean {
    const up = this.members.filter(({ aside }) => !aside);
    if (up.length === 0 || up.includes(member)) return true;
    return this.#distrusts(bestOf(up)) && member.endpoint.priority === bestOf(up) && !!member.aside?.deep;
  }

  /** Whether too many of a priority are set aside by health checks alone for that to be believed. */
  #distrusts(priority: number): boolean {
    const tier = this.members.filter(({ endpoint }) => endpoint.priority === priority);
    return tier.filter(({ aside }) => aside?.deep).length > tier.length / 2;
  }

  #endpointDown(member: ModelMember, error: GatewayError, unhealthy: boolean, deep: boolean): void {
    const known = member.aside;
    member.aside = { ...(known ?? this.#nextRetry()), why: error.detail, unhealthy, deep };
    if (!known) this.events.push(`down ${member.endpoint.host}`);
    this.#assess();
    if (!known && !this.#isUsable(member)) this.#revoke(member);
  }

  #nextRetry(): { retryAtMs: number; turn: number } {
    this.#turns += 1;
    return { retryAtMs: this.#nowMs + this.#retryDelayMs, turn: this.#turns };
  }

  #nextDue(untilMs: number): ModelMember | undefined {
    const due = this.aside.filter(({ aside }) => (aside?.retryAtMs ?? 0) <= untilMs);
    const rank = ({ aside }: ModelMember): number => (aside?.retryAtMs ?? 0) * 1e6 + (aside?.turn ?? 0);
    return due.sort((one, other) => rank(one) - rank(other))[0];
  }

  #takeBack(member: ModelMember): void {
    member.aside = undefined;
    member.verdict = undefined;
    this.events.push(`up ${member.endpoint.host}`);
    this.#assess();
  }

  #assess(): void {
    const before = this.#panic;
    this.#panic = this.#causeOfPanic();
    if (this.#panic === before) return;
    this.events.push(this.#panic ? `panic ${this.#panic}` : "panic over");
  }

  #causeOfPanic(): string | undefined {
    if (this.members.length === 0) return undefined;
    const up = this.members.filter(({ aside }) => !aside);
    if (up.length === 0) return "all-down";
    if (this.#distrusts(bestOf(up))) return "most-unhealthy";
    const known = up.flatMap(({ verdict }) => verdict ?? []);
    return known.length > 0 && known.every(({ why }) => why !== undefined) ? "cluster" : undefined;
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

function bestOf(members: readonly ModelMember[]): number {
  return Math.min(...members.map(({ endpoint }) => endpoint.priority));
}

function whyLeft(from: ModelMember, to: ModelMember): string | undefined {
  if (from.removed) return `${from.endpoint.host}:2379 is no longer an endpoint`;
  if (from.aside) return from.aside.why;
  const [before, after] = [from.endpoint.priority, to.endpoint.priority];
  return after < before ? `priority ${after} is preferred to ${before}` : undefined;
}
