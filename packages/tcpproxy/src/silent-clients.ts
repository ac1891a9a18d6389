import { Bag } from "./bag.js";
import type { LoopClient } from "./loop-check.js";

/** What {@link SilentClients} needs. */
export interface SilentClientsOptions {
  /** The proxy's limit. */
  readonly maxConnections: number;
  /** As Math.random. Several gateways in a loop must not act at the same time. */
  readonly random: () => number;
}

/** Many clients are silent. Those of a burst will have been answered soon, those of a loop never. */
interface Suspicion {
  /** The clients up to this one, in order of arrival, were there when it began. */
  readonly lastId: number;
  /** So many clients are no ordinary ones. `undefined` until the first have stayed silent for long enough. */
  readonly checkAt: number | undefined;
  /** When it is confirmed or begins again, on the clock. */
  readonly untilMs: number;
}

/** A suspicion begins with so many silent clients. */
const fewestSilent = 16;
/** It is confirmed when as many have stayed silent for so long, in milliseconds. Most bursts have been answered by then. */
const lastingMs = 250;
/**
 * Then a check begins with a random number between these of further clients. Each gateway in a loop waits for another
 * number, and while one checks, the others get no further clients.
 */
const [fewestMore, mostMore] = [4, 32];
/** The same for a loop that is left to another gateway, which finds it before that. */
const [fewestYielded, mostYielded] = [56, 72];
/** A confirmed suspicion is kept for this long, in milliseconds. */
const confirmedForMs = 10_000;
/**
 * A loop can bring thousands of clients in a second. So a check begins at once at so many times as many silent clients, or
 * at twice a threshold that was raised.
 */
const crowdFactor = 16;
/** After a check that found no loop the threshold is multiplied by a random number between these. */
const [leastGrowth, mostGrowth] = [1.5, 2.5];
/** A threshold that was raised is kept for this long, in milliseconds. */
const raisedForMs = 20_000;

/** The clients of one endpoint that have had no byte from it, and when there are so many that it may be a loop. */
export class SilentClients {
  readonly #options: SilentClientsOptions;
  /** All that are silent, and those that no longer are but have not been removed yet. */
  readonly #clients: Bag<"loopPlace", LoopClient> = new Bag("loopPlace");
  /** A suspicion begins at so many silent clients, and is confirmed when as many have stayed silent. */
  #threshold = 0;
  /** So many further clients are needed then. */
  #more = 0;
  /** At so many silent clients there is no need of a suspicion. */
  #crowd = 0;
  #suspicion: Suspicion | undefined;
  /** At how many clients the silent ones are counted again. */
  #countAt = 0;
  /** When a threshold that was raised is lowered again, on the clock. */
  #lowerAtMs = Infinity;
  #isYielded = false;

  constructor(options: SilentClientsOptions) {
    this.#options = options;
    this.reset();
  }

  add(client: LoopClient): void {
    this.#clients.add(client);
  }

  delete(client: LoopClient): void {
    this.#clients.delete(client);
  }

  /** Visits those that are silent and not deleted meanwhile. */
  *[Symbol.iterator](): Generator<LoopClient> {
    for (const client of this.#clients) if (client.isSilent) yield client;
  }

  /**
   * Returns the hosts of clients that may have come through a loop: at most four, and none while too few clients are
   * silent, or have been so for too short a time.
   *
   * @param lastId the client that came last
   */
  suspects(lastId: number, nowMs: number): readonly string[] {
    if (nowMs >= this.#lowerAtMs) this.#lower(nowMs);
    if (this.#clients.size < this.#countAt && nowMs < (this.#suspicion?.untilMs ?? Infinity)) return [];
    const lasting = this.#count(this.#suspicion?.lastId);
    const silent = this.#clients.size;
    this.#suspicion = this.#next(silent, lasting, lastId, nowMs);
    const checkAt = Math.min(this.#crowd, this.#suspicion?.checkAt ?? Infinity);
    const hosts = silent < checkAt ? [] : this.#frequentHosts();
    // Not at once again, or each client would cost a count.
    const later = Math.max(this.#threshold, silent + Math.ceil(this.#threshold / 4));
    this.#countAt = this.#suspicion && silent < checkAt ? checkAt : later;
    return hosts;
  }

  #next(silent: number, lasting: number, lastId: number, nowMs: number): Suspicion | undefined {
    if (silent < this.#threshold) return undefined;
    const last = this.#suspicion;
    if (last && nowMs < last.untilMs) return last;
    if (last && !last.checkAt && lasting >= this.#threshold)
      return { lastId, checkAt: silent + this.#more, untilMs: nowMs + confirmedForMs };
    return { lastId, checkAt: undefined, untilMs: nowMs + lastingMs };
  }

  /** They were no loop, together with so many clients that are held. */
  raise(held: number, nowMs: number): void {
    this.#count();
    this.#set(Math.ceil((this.#clients.size + held) * this.#between(leastGrowth, mostGrowth)));
    this.#lowerAtMs = nowMs + raisedForMs;
  }

  /** Whether they are known to be a loop that is left to another gateway; for a limited time. */
  get isYielded(): boolean {
    return this.#isYielded;
  }

  /** They are a loop that is left to another gateway to break, because this one has no other endpoint. */
  yield(nowMs: number): void {
    this.#isYielded = true;
    this.#set(this.#fewest, this.#between(fewestYielded, mostYielded));
    this.#lowerAtMs = nowMs + raisedForMs;
  }

  /** As at first. */
  reset(): void {
    this.#isYielded = false;
    this.#set(this.#fewest);
    this.#lowerAtMs = Infinity;
  }

  #lower(nowMs: number): void {
    const raised = this.#threshold;
    this.reset();
    this.#count();
    const threshold = Math.min(raised, Math.ceil(this.#clients.size * leastGrowth));
    if (threshold <= this.#threshold) return;
    this.#set(threshold);
    this.#lowerAtMs = nowMs + raisedForMs;
  }

  #set(threshold: number, more = this.#between(fewestMore, mostMore)): void {
    const { maxConnections } = this.#options;
    const crowd = Math.min(crowdFactor * (fewestSilent + more), maxConnections / 4);
    this.#threshold = threshold;
    this.#more = Math.ceil(Math.min(more, maxConnections / 8));
    this.#crowd = Math.ceil(Math.max(2 * threshold + this.#more, crowd));
    this.#suspicion = undefined;
    this.#countAt = this.#threshold;
  }

  /** Not so many that the connections of a small gateway are used up before. */
  get #fewest(): number {
    return Math.max(2, Math.min(fewestSilent, Math.floor(this.#options.maxConnections / 8)));
  }

  #between(least: number, most: number): number {
    return least + this.#options.random() * (most - least);
  }

  /** Removes the clients that are no longer silent; returns how many of those left came no later than that with `lastId`. */
  #count(lastId = -Infinity): number {
    let lasting = 0;
    for (const client of this.#clients) {
      if (!client.isSilent) this.#clients.delete(client);
      else if (client.id <= lastId) lasting += 1;
    }
    return lasting;
  }

  /** The hosts from which at least a quarter of the clients come: at most four. A loop has few last gateways. */
  #frequentHosts(): readonly string[] {
    const counts = new Map<string, number>();
    for (const { host } of this.#clients) counts.set(host, (counts.get(host) ?? 0) + 1);
    return [...counts].filter(([, count]) => count * 4 >= this.#clients.size).map(([host]) => host);
  }
}
