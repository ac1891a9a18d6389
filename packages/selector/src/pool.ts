import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Lease,
  messageOf,
  notify,
  type Observer,
  type Pool,
  type Selector,
  sameEndpoint,
  systemClock,
} from "@gw/interface";
import { type OnRemoved, sayFarewell } from "./farewell.js";
import { lease } from "./lease.js";
import { bestTier, Member } from "./member.js";
import { stickyRandom } from "./sticky-random.js";

/** Options of {@link createPool}. */
export interface PoolOptions {
  /** The policy. @default stickyRandom() */
  readonly selector?: Selector | undefined;
  /**
   * How long a failed endpoint is set aside before it is tried again, in milliseconds: more than 0, and at
   * most 2³¹ − 1, which is what a timer of Node can wait for. @default 60000
   */
  readonly retryDelayMs?: number | undefined;
  /**
   * Tries an endpoint that was set aside: resolves if it can serve again, rejects if not or when `signal` is
   * aborted. Without it an endpoint is simply offered again after `retryDelayMs`.
   */
  readonly probe?: (endpoint: Endpoint, signal: AbortSignal) => Promise<void>;
  /** What happens to the open connections of an endpoint that is no longer in the set. @default "drain" */
  readonly onRemoved?: OnRemoved | undefined;
  /** How long such connections may go on under `drain`, in milliseconds: at most 2³¹ − 1. @default 30000 */
  readonly drainTimeoutMs?: number | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Sees what happens to endpoints. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link PoolOptions} are silent. */
export const poolDefaults = { retryDelayMs: 60_000, onRemoved: "drain", drainTimeoutMs: 30_000 } as const;

/** What a timer of Node can wait for at most. */
const longestMs = 2 ** 31 - 1;

/** A pool of endpoints that can be fed and closed. */
export interface EndpointPool extends Pool {
  /**
   * Replaces the set of endpoints. What stays keeps its state; what is gone gets no new connections, its
   * dials are given up, and `onRemoved` says what happens to its open connections. One that returns while
   * such connections are open keeps them.
   */
  update(endpoints: readonly Endpoint[]): void;
  /** Stops trying endpoints again and closing connections. Leases stay valid; `acquire` goes on to work. */
  close(): void;
}

/**
 * Owns the state of all endpoints: which are up, which are set aside and since when, how many connections
 * each has. Offers the members of the best SRV priority that are up to the selector. When all are set aside
 * it offers them all the same ("last chance"), since a wrong guess costs a client no more than a refusal.
 *
 * @throws {GatewayError} `invalid-option` if `retryDelayMs` or `drainTimeoutMs` is out of its range
 */
export function createPool(options: PoolOptions = {}): EndpointPool {
  return new SelectingPool(options);
}

class SelectingPool implements EndpointPool {
  readonly #selector: Selector;
  readonly #retryDelayMs: number;
  readonly #onRemoved: OnRemoved;
  readonly #drainTimeoutMs: number;
  readonly #random: () => number;
  readonly #probe: PoolOptions["probe"];
  readonly #observer: Observer | undefined;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  #members: readonly Member[] = [];
  /** What is gone and still has connections. */
  readonly #leaving = new Set<Member>();
  /** What a client that has failed on nothing is offered; undefined when it must be worked out anew. */
  #offer: readonly Member[] | undefined;
  /** The member that the newest connection went to. */
  #current: Member | undefined;
  /** How many leases were handed out; orders them. */
  #leases = 0;
  #lastChanceSaid = false;
  #selectorFailing = false;

  constructor(options: PoolOptions) {
    this.#selector = options.selector ?? stickyRandom();
    this.#retryDelayMs = wait("retryDelayMs", options.retryDelayMs ?? poolDefaults.retryDelayMs);
    this.#onRemoved = options.onRemoved ?? poolDefaults.onRemoved;
    this.#drainTimeoutMs = wait("drainTimeoutMs", options.drainTimeoutMs ?? poolDefaults.drainTimeoutMs);
    this.#random = options.random ?? Math.random;
    this.#probe = options.probe;
    this.#observer = options.observer;
    this.#clock = options.clock ?? systemClock;
  }

  update(endpoints: readonly Endpoint[]): void {
    const gone = new Map(this.#members.map(member => [formatAddress(member.endpoint), member]));
    const leaving = new Map([...this.#leaving].map(member => [formatAddress(member.endpoint), member]));
    const added: Endpoint[] = [];
    this.#members = endpoints.map(given => {
      // A selector sees it, and must have nothing to change.
      const endpoint = Object.freeze({ ...given });
      const name = formatAddress(endpoint);
      const known = gone.get(name);
      if (!known) added.push(endpoint);
      gone.delete(name);
      const member = known ?? leaving.get(name) ?? new Member(endpoint);
      member.endpoint = endpoint;
      this.#welcome(member);
      return member;
    });
    this.#offer = undefined;
    if (this.#members.some(member => !member.aside)) this.#lastChanceSaid = false;
    const removed = [...gone.values()];
    for (const member of removed) this.#remove(member);
    if (added.length + removed.length > 0)
      notify(this.#observer, "endpointsChanged", { added, removed: removed.map(toEndpoint) });
    this.#sayLastChance();
  }

  acquire(request: Parameters<Pool["acquire"]>[0]): Lease | undefined {
    const member = this.#pick(this.#offerTo(request.tried));
    if (!member) return undefined;
    this.#leases += 1;
    return lease(member, this.#leases, this.#outcomes, request.onRevoked);
  }

  close(): void {
    this.#closing.abort();
    for (const member of this.#members) member.retry.cancel();
    for (const member of this.#leaving) member.farewell.cancel();
  }

  #offerTo(tried: readonly Endpoint[]): readonly Member[] {
    if (tried.length === 0) {
      this.#offer ??= this.#worthTrying(this.#members);
      return this.#offer;
    }
    return this.#worthTrying(
      this.#members.filter(({ endpoint }) => !tried.some(one => sameEndpoint(one, endpoint))),
    );
  }

  /** The best tier of those that are up; when none is, the best tier of what is set aside. */
  #worthTrying(members: readonly Member[]): readonly Member[] {
    const up = members.filter(member => !member.aside);
    if (up.length > 0) return bestTier(up);
    return bestTier(members);
  }

  /** Tells that nothing is up any more, once until something is. */
  #sayLastChance(): void {
    const nothingUp = this.#members.length > 0 && this.#members.every(member => member.aside);
    if (this.#lastChanceSaid || !nothingUp) return;
    this.#lastChanceSaid = true;
    notify(this.#observer, "lastChance", { endpoints: this.#members.map(toEndpoint) });
  }

  /** Asks the selector, and takes one at random where it fails: a bad policy must not stop the service. */
  #pick(offered: readonly Member[]): Member | undefined {
    if (offered.length === 0) return undefined;
    const candidates = Object.freeze(offered.map(member => member.candidate));
    try {
      const choice: unknown = this.#selector.pick(candidates);
      const member = offered.find(({ candidate }) => candidate === choice);
      // A selector that is async in spite of its contract fails here; that it also rejects is nothing more.
      if (choice instanceof Promise) choice.catch(() => {});
      if (!member) throw new Error("it returned something other than one of the candidates");
      this.#selectorFailing = false;
      return member;
    } catch (error) {
      this.#saySelectorFailed(error);
      return offered[Math.floor(Math.random() * offered.length)];
    }
  }

  #saySelectorFailed(error: unknown): void {
    if (this.#selectorFailing) return;
    this.#selectorFailing = true;
    const detail = `the selector failed: ${messageOf(error)}`;
    notify(this.#observer, "selectorFailed", {
      error: new GatewayError("selector-failed", detail, { cause: error }),
    });
  }

  readonly #outcomes = {
    connected: (member: Member): void => {
      if (member.removed) return;
      member.provenAt = this.#leases;
      if (member.aside) this.#takeBack(member);
      const last = this.#current;
      this.#current = member;
      if (!last || last === member) return;
      const why = reasonToLeave(last, member);
      if (why) notify(this.#observer, "switched", { from: last.endpoint, to: member.endpoint, why });
    },
    failed: (member: Member, error: GatewayError, order: number): void => {
      // A dial that began before another succeeded tells nothing new.
      if (error.isLocal || member.removed || order <= member.provenAt) return;
      if (member.aside) member.aside = { ...member.aside, error };
      else this.#setAside(member, error);
    },
    ended: (member: Member): void => {
      if (member.connections === 0) this.#leaving.delete(member);
    },
  };

  #setAside(member: Member, error: GatewayError): void {
    const retryInMs = this.#retryDelayMs;
    member.aside = { since: this.#clock.now(), error };
    this.#offer = undefined;
    notify(this.#observer, "setAside", { endpoint: member.endpoint, error, retryInMs });
    this.#retryLater(member);
    // Where there is no other endpoint to go to, what is being dialled may still succeed.
    if (this.#members.some(other => !other.aside)) member.revokeDials(error);
    this.#sayLastChance();
  }

  #takeBack(member: Member): void {
    const asideMs = this.#clock.now() - (member.aside?.since ?? 0);
    member.aside = undefined;
    member.retry.cancel();
    this.#offer = undefined;
    this.#lastChanceSaid = false;
    notify(this.#observer, "back", { endpoint: member.endpoint, asideMs });
  }

  #remove(member: Member): void {
    member.removed = true;
    member.aside = undefined;
    member.retry.cancel();
    const name = formatAddress(member.endpoint);
    member.revokeDials(new GatewayError("aborted", `${name} is no longer an endpoint`));
    if (member.connections > 0) this.#leaving.add(member);
    const connections = member.connected.size;
    const withinMs = sayFarewell(member, this.#onRemoved, {
      drainTimeoutMs: this.#drainTimeoutMs,
      clock: this.#clock,
      random: this.#random,
    });
    if (withinMs > 0) notify(this.#observer, "closing", { endpoint: member.endpoint, connections, withinMs });
  }

  /** Undoes a removal. */
  #welcome(member: Member): void {
    member.removed = false;
    member.farewell.cancel();
    this.#leaving.delete(member);
  }

  #retryLater(member: Member): void {
    if (this.#closing.signal.aborted) return;
    member.retry.cancel = this.#clock.after(this.#retryDelayMs, () => this.#retryNow(member));
  }

  async #retryNow(member: Member): Promise<void> {
    const cancelled = new AbortController();
    member.retry.cancel = () => cancelled.abort();
    try {
      await this.#probe?.(member.endpoint, cancelled.signal);
      if (!cancelled.signal.aborted) this.#takeBack(member);
    } catch (cause) {
      if (cancelled.signal.aborted || !member.aside) return;
      const { endpoint } = member;
      const error = GatewayError.from(cause, `probe ${formatAddress(endpoint)}`);
      member.aside = { ...member.aside, error };
      notify(this.#observer, "stillAside", { endpoint, error, retryInMs: this.#retryDelayMs });
      this.#retryLater(member);
    }
  }
}

function wait(option: string, ms: number): number {
  if (ms > 0 && ms <= longestMs) return ms;
  throw new GatewayError("invalid-option", `${option} ${ms} is not more than 0 and at most ${longestMs}`);
}

/** Why connections moved from one member to another, or undefined where that is just the policy's way. */
function reasonToLeave(from: Member, to: Member): string | undefined {
  if (from.removed) return `${formatAddress(from.endpoint)} is no longer an endpoint`;
  if (from.aside) return from.aside.error.detail;
  if (to.endpoint.priority < from.endpoint.priority)
    return `priority ${to.endpoint.priority} is preferred to ${from.endpoint.priority}`;
  return undefined;
}

function toEndpoint({ endpoint }: Member): Endpoint {
  return endpoint;
}
