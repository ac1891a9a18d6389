import {
  type Candidate,
  type Clock,
  type Endpoint,
  type EndpointActivity,
  type EndpointStatus,
  formatAddress,
  GatewayError,
  type Verdict,
} from "@gw/interface";
import { Backoff } from "./backoff.js";
import { KnownFacts } from "./facts.js";
import type { Leadership } from "./leadership.js";
import { type Link, LinkedList } from "./linked-list.js";
import { Unanswered } from "./unanswered.js";

/** A failure of an endpoint. */
export interface Failure {
  /** What found it: a dial, a health check, or clients whose connections ended unanswered. */
  readonly cause: "dial" | "check" | "clients";
  readonly error: GatewayError;
  /** Whether it accepts connections in spite of it, so that a dial cannot show that it has recovered. */
  readonly connectable: boolean;
}

/** The state of an entry. Times are in milliseconds on the pool's clock. */
export type EntryState = { readonly name: "up"; readonly since: number } | Down | Draining;

export interface Down extends Failure {
  readonly name: "down";
  readonly since: number;
  /** Unanswered connections of clients have confirmed it, so that it is no mistake of health checks. */
  readonly confirmed: boolean;
  /** When it is tried again, or was if that is under way. */
  readonly retryAt: number;
}

/** It is no longer in the set. */
interface Draining {
  readonly name: "draining";
  readonly since: number;
  /** A health check had marked it down: its connections may hang. */
  readonly unhealthy: boolean;
  /** Why it left the set. */
  readonly error: GatewayError;
}

/** What entries need of their pool. */
export interface EntryContext {
  readonly clock: Clock;
  readonly leadership: Leadership;
}

/** A lease that the pool can revoke. */
export interface RevocableLease extends Link {
  /** When it was connected, in tenths of a second on the pool's clock. */
  readonly connectedAt: number;
  /** Whether the endpoint has sent a byte on it; undefined where that is not known. */
  readonly answered: boolean | undefined;
  /** See `LeaseRequest`; 0 where it is not known. */
  readonly bytesFromBackend: number;
  readonly answeredMs: number | undefined;
  readonly waitingMs: number | undefined;
  /** Whether it is neither connected nor over. */
  readonly isDialling: boolean;
  /** @returns whether it was the first time */
  revoke(error: GatewayError): boolean;
}

/**
 * One endpoint and all that a pool knows about it. It is up, down or draining, and changes its state itself:
 *
 * ```text
 *            markDown               startDraining
 *      up ─────────────▶ down ─────────────────────▶ draining
 *       ◀───────────────                                │ also from up
 *       ▲    markUp                                     │
 *       └───────────────────────────────────────────────┘ readmit
 * ```
 *
 * A call that the state does not allow changes nothing.
 */
export class PoolEntry {
  #endpoint: Endpoint;
  #position: number;
  #state: EntryState;
  readonly #context: EntryContext;
  #verdict: Verdict | undefined;
  /** What it says of itself. */
  readonly facts: KnownFacts = new KnownFacts();
  /** See `CheckedPool.avoid`. */
  isAvoided = false;
  /** Bytes that the endpoint has sent on connections that have ended. */
  endedBytes = 0;
  /** How many random numbers were drawn for its delays; counted only while decisions are recorded. */
  draws = 0;
  /** The newest lease of the pool when a dial last succeeded. */
  #connectedAtLease = 0;
  /** Leases that are not connected yet. */
  readonly dialling: LinkedList<RevocableLease> = new LinkedList();
  /** Leases that are connected, the oldest first. */
  readonly connected: LinkedList<RevocableLease> = new LinkedList();
  readonly backoff: Backoff = new Backoff();
  readonly unanswered: Unanswered = new Unanswered();
  /** Ends the wait for the next retry, or the retry that runs. */
  readonly retry: { cancel: () => void } = { cancel: () => {} };
  /** Ends the waits after which connections are closed; `active` while there are such. */
  readonly closing: { cancel: () => void; active: boolean } = { cancel: () => {}, active: false };
  readonly candidate: Candidate = new EntryCandidate(this);

  constructor(endpoint: Endpoint, position: number, context: EntryContext) {
    this.#endpoint = endpoint;
    this.#position = position;
    this.#context = context;
    byEndpoint.set(endpoint, this);
    this.#state = { name: "up", since: context.clock.now() };
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** Its index in the set of endpoints; orders entries. */
  get position(): number {
    return this.#position;
  }

  get state(): EntryState {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state.name === "up";
  }

  get isDraining(): boolean {
    return this.#state.name === "draining";
  }

  /** Why it is down; undefined if it is not. */
  get down(): Down | undefined {
    return this.#state.name === "down" ? this.#state : undefined;
  }

  /** Whether a health check has marked it down, also before it began to drain. */
  get isUnhealthy(): boolean {
    return this.#state.name === "draining" ? this.#state.unhealthy : this.down?.cause === "check";
  }

  /** The newest verdict since it was marked up. */
  get verdict(): Verdict | undefined {
    return this.#verdict;
  }

  /** Leases that have not ended. */
  get connections(): number {
    return this.dialling.size + this.connected.size;
  }

  /** For how long it has been up, in milliseconds; undefined if it is not. */
  get upMs(): number | undefined {
    return this.isUp ? this.#context.clock.now() - this.#state.since : undefined;
  }

  /** Whether its member leads its cluster; undefined if that is not known. */
  get isLeader(): boolean | undefined {
    const { memberId, clusterId } = this.facts.newest ?? {};
    const leaderId = this.#context.leadership.leaderOf(clusterId);
    return memberId === undefined || leaderId === undefined ? undefined : memberId === leaderId;
  }

  /** Adds what a check that is over has found out. */
  learn({ facts }: Verdict): void {
    if (!facts) return;
    this.facts.learn(facts, this.#context.clock.now());
    this.#context.leadership.learn(facts);
  }

  /** What clients see of it now. Takes time that grows with its connections. */
  activity(): EndpointActivity {
    let [bytes, answeredMs, waitingMs] = [this.endedBytes, Infinity, 0];
    for (const lease of this.connected) {
      bytes += lease.bytesFromBackend;
      answeredMs = Math.min(answeredMs, lease.answeredMs ?? Infinity);
      waitingMs = Math.max(waitingMs, lease.waitingMs ?? 0);
    }
    return { connections: this.connected.size, bytes, answeredMs, waitingMs };
  }

  /** The set has changed: the same endpoint, maybe of another priority or weight, at another position. */
  move(endpoint: Endpoint, position: number): void {
    this.#endpoint = endpoint;
    this.#position = position;
    byEndpoint.set(endpoint, this);
  }

  /** Up → down, to be tried again at once until {@link retryAt} says otherwise. @returns whether it was up */
  markDown(failure: Failure, now: number): boolean {
    if (this.#state.name !== "up") return false;
    this.backoff.failedAfterServing(now);
    this.unanswered.markedDown();
    this.#state = {
      name: "down",
      since: now,
      retryAt: now,
      confirmed: failure.cause === "clients",
      ...failure,
    };
    return true;
  }

  /**
   * Another failure of an entry that is down. A health check's replaces what was known; a dial's may show that it accepts
   * no connections any more; clients' confirm a health check's.
   *
   * @returns whether that may change where connections go
   */
  failAgain({ cause, error, connectable }: Failure): boolean {
    const { down } = this;
    if (!down) return false;
    if (cause === "check") this.#state = { ...down, cause, error, connectable };
    else if (cause === "clients") {
      if (!down.connectable || down.confirmed) return false;
      this.#state = { ...down, confirmed: true };
    } else {
      this.#state = { ...down, error, connectable: down.connectable && connectable };
      return down.connectable && !connectable;
    }
    return true;
  }

  /** Sets when an entry that is down is tried again, and why it still is if a retry has failed. */
  retryAt(retryAt: number, error?: GatewayError): void {
    const { down } = this;
    if (down) this.#state = { ...down, retryAt, error: error ?? down.error };
  }

  /**
   * Down → up.
   *
   * @param isProven whether a conclusive health check has shown it, not just an accepted connection
   * @returns how long it was down, in milliseconds; undefined if it was not
   */
  markUp(isProven: boolean, now: number): number | undefined {
    const { down } = this;
    if (!down) return undefined;
    this.#becomeUp(now);
    this.backoff.recovered(now);
    this.unanswered.markedUp(isProven);
    return now - down.since;
  }

  /** Why it left the set; what is said of any that leaves it, if it has not. */
  get leftBecause(): GatewayError {
    if (this.#state.name === "draining") return this.#state.error;
    return new GatewayError("aborted", `${formatAddress(this.#endpoint)} is no longer an endpoint`);
  }

  /** Up or down → draining. */
  startDraining(now: number, error: GatewayError = this.leftBecause): void {
    if (this.isDraining) return;
    this.#state = { name: "draining", since: now, unhealthy: this.isUnhealthy, error };
    this.isAvoided = false;
    this.retry.cancel();
  }

  /** Draining → up: it is in the set again. */
  readmit(now: number): void {
    if (this.isDraining) this.#becomeUp(now);
  }

  /** Keeps the newest verdict of health checks. */
  setVerdict(verdict: Verdict): void {
    this.#verdict = verdict;
  }

  /** Sets the state to one that was recorded. */
  restore(state: EntryState, verdict: Verdict | undefined): void {
    this.#state = state;
    this.#verdict = verdict;
  }

  /** A dial has succeeded when `newestLease` was the pool's newest. */
  dialSucceeded(newestLease: number): void {
    this.#connectedAtLease = newestLease;
  }

  /** Whether the dial of `lease` began before another one succeeded, so that its failure is no news. */
  isOutdated(lease: number): boolean {
    return lease <= this.#connectedAtLease;
  }

  status(inUse: boolean): EndpointStatus {
    const { endpoint, connections, state, verdict } = this;
    return {
      endpoint,
      state: state.name,
      unhealthy: this.isUnhealthy,
      inUse: inUse && !this.isDraining,
      connections,
      since: state.since,
      ...(state.name !== "up" && { error: state.error }),
      ...(state.name === "down" && { retryAt: state.retryAt }),
      ...(verdict && { verdict }),
      ...(this.facts.newest && { facts: this.facts.newest }),
    };
  }

  #becomeUp(now: number): void {
    this.#state = { name: "up", since: now };
    this.#verdict = undefined;
    this.retry.cancel();
    this.closing.cancel();
  }
}

/** What selectors see of an entry: always current, and nothing that they could change. */
class EntryCandidate implements Candidate {
  readonly #entry: PoolEntry;

  constructor(entry: PoolEntry) {
    this.#entry = entry;
    Object.freeze(this);
  }

  static entryOf(choice: unknown): PoolEntry | undefined {
    return typeof choice === "object" && choice !== null && #entry in choice ? choice.#entry : undefined;
  }

  get endpoint(): Endpoint {
    return this.#entry.endpoint;
  }

  get connections(): number {
    return this.#entry.connections;
  }

  get upMs(): number | undefined {
    return this.#entry.upMs;
  }

  get latencyMs(): number | undefined {
    return this.#entry.facts.latencyMs;
  }

  get isLeader(): boolean | undefined {
    return this.#entry.isLeader;
  }

  get version(): string | undefined {
    return this.#entry.facts.newest?.version;
  }
}

/** The entry whose candidate `choice` is; undefined if it is no candidate of a pool. */
export const entryOf: (choice: unknown) => PoolEntry | undefined = EntryCandidate.entryOf;

const byEndpoint = new WeakMap<Endpoint, PoolEntry>();

/** The entry that has, or had, this very endpoint object; undefined if there is none. */
export function entryAt(endpoint: Endpoint): PoolEntry | undefined {
  return byEndpoint.get(endpoint);
}
