import type { Endpoint, GatewayError, Verdict } from "@gw/interface";

/** What a pool should know about an endpoint. */
export interface ModelEntry {
  endpoint: Endpoint;
  removed: boolean;
  /** Why it is down, and when it is tried again. */
  down: ModelDown | undefined;
  /** The newest verdict while it is up: why it is unhealthy, or that it is healthy. */
  verdict: { readonly why: string | undefined } | undefined;
  connections: number;
  /** The newest lease when a dial last succeeded. */
  provenAt: number;
}

interface ModelDown {
  retryAtMs: number;
  /** Orders those that are due at the same time. */
  turn: number;
  why: string;
  unhealthy: boolean;
  connectable: boolean;
}

/** What a pool should know about a lease. */
export interface ModelLease {
  readonly entry: ModelEntry;
  state: "dialling" | "connected" | "ended";
  /** How often its dial was revoked. */
  revoked: number;
  /** Whether it fails as soon as it is revoked, or at a later step. */
  readonly prompt: boolean;
  /** Which leases are older. */
  readonly order: number;
}

/**
 * The pool again, as simple as can be: no caches, no timers, no selector; what was picked is passed to it. It has
 * the events that there should have been.
 */
export class PoolModel {
  entries: ModelEntry[] = [];
  readonly leases: ModelLease[] = [];
  readonly events: string[] = [];
  #nowMs = 0;
  #turns = 0;
  /** Entries that are gone, some of them with connections. */
  #left: readonly ModelEntry[] = [];
  #current: ModelEntry | undefined;
  #panic: string | undefined;
  readonly #retryDelayMs: number;

  constructor(retryDelayMs: number) {
    this.#retryDelayMs = retryDelayMs;
  }

  get down(): readonly ModelEntry[] {
    return this.entries.filter(({ down }) => down);
  }

  get allDown(): boolean {
    return this.entries.length > 0 && this.entries.every(({ down }) => down);
  }

  update(endpoints: readonly Endpoint[]): void {
    const before = this.entries;
    const draining = this.#left.filter(({ connections }) => connections > 0);
    this.entries = endpoints.map(endpoint => {
      const known = [...before, ...draining].find(entry => entry.endpoint.host === endpoint.host);
      if (known?.removed) Object.assign(known, { removed: false, down: undefined, verdict: undefined });
      const fresh = { removed: false, down: undefined, verdict: undefined, connections: 0, provenAt: 0 };
      return Object.assign(known ?? fresh, { endpoint });
    });
    for (const gone of before.filter(entry => !this.entries.includes(entry))) {
      gone.removed = true;
      this.#revoke(gone);
    }
    this.#left = [...draining, ...before].filter(entry => !this.entries.includes(entry));
    this.#assess();
  }

  /** The entries that may be offered to a client that has tried these hosts. */
  offered(tried: readonly string[]): readonly ModelEntry[] {
    const untried = this.entries.filter(({ endpoint }) => !tried.includes(endpoint.host));
    const usable = untried.filter(entry => this.#isUsable(entry));
    const some = usable.length > 0 ? usable : untried;
    const best = some.filter(({ endpoint }) => endpoint.priority === bestOf(some));
    const healthy = best.filter(({ down, verdict }) => !down && verdict && verdict.why === undefined);
    return this.#isFailover(tried) && healthy.length > 0 ? healthy : best;
  }

  /** Whether a client, or the last one that was connected, needs another endpoint than it had. */
  #isFailover(tried: readonly string[]): boolean {
    const isLost = this.#current?.down !== undefined && !this.#current.removed;
    const up = this.entries.filter(({ down }) => !down);
    return tried.length > 0 || (isLost && up.length > 0 && !this.#distrusts(bestOf(up)));
  }

  acquired(tried: readonly string[], host: string, prompt: boolean): ModelLease {
    const entry = this.offered(tried).find(({ endpoint }) => endpoint.host === host);
    if (!entry) throw new Error(`${host} must not be offered`);
    entry.connections += 1;
    const lease: ModelLease = {
      entry,
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
    const { entry } = lease;
    if (entry.removed) return;
    entry.provenAt = this.leases.length;
    if (entry.down && !entry.down.connectable) this.#markUp(entry);
    const last = this.#current;
    this.#current = entry;
    const why = last && last !== entry && whyLeft(last, entry);
    if (why) this.events.push(`failover ${last.endpoint.host} to ${entry.endpoint.host}: ${why}`);
  }

  failed(lease: ModelLease, error: GatewayError): void {
    if (lease.state !== "dialling") return;
    this.#end(lease);
    const { entry } = lease;
    if (error.isLocal || entry.removed || lease.order <= entry.provenAt) return;
    const { down } = entry;
    if (down) {
      down.why = error.detail;
      if (error.code === "refused") down.connectable = false;
      this.#assess();
    } else this.#endpointDown(entry, error, false, false);
  }

  released(lease: ModelLease): void {
    if (lease.state !== "ended") this.#end(lease);
  }

  report(host: string, { error, scope, connectable }: Verdict, anotherIsHealthy: boolean): void {
    const entry = this.entries.find(({ endpoint }) => endpoint.host === host);
    if (!entry || entry.down?.unhealthy) return;
    const leaves = error !== undefined && (scope === "endpoint" || anotherIsHealthy);
    if (entry.down && !leaves) return;
    entry.verdict = { why: error?.detail };
    if (leaves) this.#endpointDown(entry, error, true, connectable ?? error.code !== "refused");
    else this.#assess();
  }

  /** Time goes on; an entry that is due is probed, and up if `isUp` says so. */
  advance(ms: number, isUp: (host: string) => boolean, why: (host: string) => string): void {
    const untilMs = this.#nowMs + ms;
    for (let due = this.#nextDue(untilMs); due; due = this.#nextDue(untilMs)) {
      this.#nowMs = due.down?.retryAtMs ?? untilMs;
      const { host } = due.endpoint;
      if (isUp(host)) this.#markUp(due);
      else {
        Object.assign(due.down ?? {}, { ...this.#nextRetry(), why: why(host) });
        this.events.push(`still down ${host}`);
      }
    }
    this.#nowMs = untilMs;
  }

  #isUsable(entry: ModelEntry): boolean {
    const up = this.entries.filter(({ down }) => !down);
    if (up.length === 0 || up.includes(entry)) return true;
    return this.#distrusts(bestOf(up)) && entry.endpoint.priority === bestOf(up) && !!entry.down?.connectable;
  }

  /** Whether too many of a priority are marked down by health checks alone for the checks to be right. */
  #distrusts(priority: number): boolean {
    const tier = this.entries.filter(({ endpoint }) => endpoint.priority === priority);
    return tier.filter(({ down }) => down?.connectable).length > tier.length / 2;
  }

  #endpointDown(entry: ModelEntry, error: GatewayError, unhealthy: boolean, connectable: boolean): void {
    const known = entry.down;
    entry.down = { ...(known ?? this.#nextRetry()), why: error.detail, unhealthy, connectable };
    if (!known) this.events.push(`down ${entry.endpoint.host}`);
    this.#assess();
    if (!known && !this.#isUsable(entry)) this.#revoke(entry);
  }

  #nextRetry(): { retryAtMs: number; turn: number } {
    this.#turns += 1;
    return { retryAtMs: this.#nowMs + this.#retryDelayMs, turn: this.#turns };
  }

  #nextDue(untilMs: number): ModelEntry | undefined {
    const due = this.down.filter(({ down }) => (down?.retryAtMs ?? 0) <= untilMs);
    const rank = ({ down }: ModelEntry): number => (down?.retryAtMs ?? 0) * 1e6 + (down?.turn ?? 0);
    return due.sort((one, other) => rank(one) - rank(other))[0];
  }

  #markUp(entry: ModelEntry): void {
    entry.down = undefined;
    entry.verdict = undefined;
    this.events.push(`up ${entry.endpoint.host}`);
    this.#assess();
  }

  #assess(): void {
    const before = this.#panic;
    this.#panic = this.#causeOfPanic();
    if (this.#panic === before) return;
    this.events.push(this.#panic ? `panic ${this.#panic}` : "panic over");
  }

  #causeOfPanic(): string | undefined {
    if (this.entries.length === 0) return undefined;
    const up = this.entries.filter(({ down }) => !down);
    if (up.length === 0) return "all-down";
    if (this.#distrusts(bestOf(up))) return "most-unhealthy";
    const known = up.flatMap(({ verdict }) => verdict ?? []);
    return known.length > 0 && known.every(({ why }) => why !== undefined) ? "cluster" : undefined;
  }

  #revoke(entry: ModelEntry): void {
    for (const lease of this.leases) {
      if (lease.entry !== entry || lease.state !== "dialling" || lease.revoked > 0) continue;
      lease.revoked += 1;
      if (lease.prompt) this.#end(lease);
    }
  }

  #end(lease: ModelLease): void {
    lease.state = "ended";
    lease.entry.connections -= 1;
  }
}

function bestOf(entries: readonly ModelEntry[]): number {
  return Math.min(...entries.map(({ endpoint }) => endpoint.priority));
}

function whyLeft(from: ModelEntry, to: ModelEntry): string | undefined {
  if (from.removed) return `${from.endpoint.host}:2379 is no longer an endpoint`;
  if (from.down) return from.down.why;
  const [before, after] = [from.endpoint.priority, to.endpoint.priority];
  return after < before ? `priority ${after} is preferred to ${before}` : undefined;
}
