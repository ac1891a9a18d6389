import {
  type EarlyPick,
  type Endpoint,
  type EndpointActivity,
  type EndpointStatus,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Lease,
  type LeaseRequest,
  messageOf,
  notify,
  type Verdict,
} from "@gw/interface";
import { viewOf } from "../policies/candidate-view.js";
import { pickByWeight } from "../policies/weighted-random.js";
import type { EndpointPool, PoolChange, RejectedEndpoint } from "./endpoint-pool.js";
import { Entries } from "./entries.js";
import { entryOf, type Failure, type PoolEntry } from "./entry.js";
import { Leadership } from "./leadership.js";
import { createLease, type LeaseEvents, revokeDials } from "./lease.js";
import { Drain } from "./moving/drain.js";
import { following } from "./moving/follow.js";
import { closeOldConnections, type MaxAge } from "./moving/max-age.js";
import { type Rebalancing, rebalancing } from "./moving/rebalance.js";
import { Picker } from "./offer.js";
import { type PoolOptions, type PoolSettings, poolSettings } from "./options.js";
import { PanicReports } from "./panic.js";
import { Retries } from "./retry.js";
import { Tiers } from "./tiers.js";

/**
 * A pool that owns the state of all endpoints: which are up or down and since when, and their connections. It offers
 * those of the best SRV priority that are up to the selector. When all are down they are tried anyway, since that costs a
 * client no more than a refusal.
 *
 * @throws {GatewayError} `invalid-option` if an option is out of its range
 */
export function createPool(options: PoolOptions = {}): EndpointPool {
  return new SelectingPool(poolSettings(options));
}

/** Turns what happens to leases, and verdicts, into changes of entries, and works out what follows from each. */
class SelectingPool implements EndpointPool {
  readonly #settings: PoolSettings;
  readonly #entries: Entries;
  readonly #tiers: Tiers;
  readonly #picker: Picker;
  readonly #retries: Retries;
  readonly #panic: PanicReports;
  readonly #drain: Drain;
  readonly #rebalancing: Rebalancing;
  readonly #maxAge: MaxAge;
  readonly #listeners = new Set<{ readonly call: (change: PoolChange) => void }>();
  readonly #onPicksVoid = new Set<{ readonly call: () => void }>();
  /** Entries with leases that were late. */
  readonly #late = new Set<PoolEntry>();
  /** Why endpoints are not in the newest set, by address, where that is not just discovery's. */
  #rejections: ReadonlyMap<string, GatewayError> = new Map();
  /** The entry that the newest connection went to. */
  #inUse: PoolEntry | undefined;
  /** Which entries were usable when drains were last assessed. */
  #mode = "";
  /** How many leases were handed out; orders them. */
  #leases = 0;
  /** Ends the wait of clients for endpoints. */
  #open: () => void = () => {};
  opening: Promise<void> | undefined;

  constructor(settings: PoolSettings) {
    const { clock } = settings;
    const entries = new Entries({ clock, leadership: new Leadership(clock) });
    const tiers = new Tiers(settings.panicThreshold);
    const panic = new PanicReports(settings);
    const picker = new Picker(settings.selector, settings.observer);
    this.#settings = settings;
    this.#entries = entries;
    this.#tiers = tiers;
    this.#picker = picker;
    this.#retries = new Retries(settings, (entry, verdict) => this.#markUp(entry, verdict));
    this.#panic = panic;
    this.#drain = new Drain(settings);
    // In a panic no endpoint is known to be a better one.
    const serving = (): readonly PoolEntry[] => (panic.cause ? [] : tiers.offered);
    this.#rebalancing = settings.selector.target
      ? following(settings, () => ({
          entries: entries.current,
          serving: serving(),
          target: panic.cause ? undefined : picker.target(tiers.offer([], false)),
        }))
      : rebalancing(settings, () => ({ entries: entries.current, serving: serving() }));
    this.#maxAge = closeOldConnections(settings, () => entries.current);
    if (settings.waitForEndpoints)
      this.opening = new Promise(resolve => {
        this.#open = resolve;
      });
  }

  update(endpoints: readonly Endpoint[], rejected: readonly RejectedEndpoint[] = []): void {
    this.#voidPicks();
    const errors = new Map(rejected.map(({ endpoint, error }) => [formatAddress(endpoint), error]));
    this.#rejections = errors;
    const { added, removed } = this.#entries.replace(endpoints);
    for (const entry of removed) this.#drain.removed(entry, errors.get(formatAddress(entry.endpoint)));
    // Those that left an earlier set may still have connections.
    for (const entry of errors.size > 0 ? [...this.#entries.draining] : []) {
      const error = errors.get(formatAddress(entry.endpoint));
      if (error) this.#drain.removed(entry, error);
    }
    const isChanged = added.length + removed.length > 0;
    if (isChanged)
      notify(this.#settings.observer, "poolChanged", {
        added,
        removed: removed.map(({ endpoint }) => endpoint),
      });
    this.#tiers.replace(this.#entries.current);
    this.#assess(this.#tiers.unhealthy);
    if (isChanged) this.#callListeners();
    this.opening = undefined;
    this.#open();
  }

  acquire(request: LeaseRequest): Lease | undefined {
    const tried = request.tried.flatMap(endpoint => this.#entries.find(endpoint) ?? []);
    const picked = this.#picker.pick(this.#tiers.offer(tried, this.#isFailover(request)));
    if (!picked) return undefined;
    // In a panic the few others that are healthy would get the connections of all gateways.
    const isAvoided = this.#isAvoided(picked) && !this.#tiers.panic;
    return this.#lease(isAvoided ? this.#insteadOf(picked, tried) : picked, request);
  }

  pickAhead(): EarlyPick | undefined {
    // Where the cluster is at fault, all endpoints that are up serve as ever.
    const isSettled = !this.opening && !this.#tiers.panic && !this.#isFailover(newClient);
    if (!isSettled || !this.#settings.selector.picksAhead) return undefined;
    const entry = this.#picker.pick(this.#tiers.offer([], false));
    // What replaces one that is avoided is not up to the policy, and for each client another.
    return entry && !this.#isAvoided(entry) ? new EntryPick(entry, this.#leaseOf) : undefined;
  }

  readonly #leaseOf = (entry: PoolEntry, request: LeaseRequest): Lease =>
    this.#tiers.isUsable(entry) ? this.#lease(entry, request) : this.#lateLease(entry, request);

  onPicksVoid(listener: () => void): () => void {
    const added = { call: listener };
    this.#onPicksVoid.add(added);
    return () => void this.#onPicksVoid.delete(added);
  }

  #lease(entry: PoolEntry, request: LeaseRequest, events = this.#leaseEvents): Lease {
    this.#leases += 1;
    return createLease(entry, this.#leases, events, request);
  }

  /** The client came before `entry` was marked down, or left the set; its dial may have succeeded meanwhile. */
  #lateLease(entry: PoolEntry, request: LeaseRequest): Lease {
    const lease = this.#lease(entry, request, this.#lateLeaseEvents);
    if (entry.isDraining) this.#entries.leaseBegan(entry);
    if (this.#late.size === 0) this.#settings.clock.after(lateMs, () => this.#settleLate());
    this.#late.add(entry);
    return lease;
  }

  /** Does to the leases of clients that came late what was done to those that were known. */
  #settleLate(): void {
    for (const entry of this.#late)
      if (entry.isDraining) this.#drain.removed(entry, this.#rejections.get(formatAddress(entry.endpoint)));
      else if (entry.down && !this.#tiers.isUsable(entry)) revokeDials(entry, entry.down.error);
    this.#late.clear();
  }

  inspect(): readonly EndpointStatus[] {
    const { current, draining } = this.#entries;
    return [...current, ...draining].map(entry => entry.status(entry === this.#inUse));
  }

  activity(endpoint: Endpoint): EndpointActivity | undefined {
    return this.#entries.find(endpoint)?.activity();
  }

  avoid(endpoint: Endpoint, isAvoided: boolean): void {
    const entry = this.#entries.find(endpoint);
    if (!entry || entry.isAvoided === isAvoided) return;
    entry.isAvoided = isAvoided;
    this.#voidPicks();
  }

  report(endpoint: Endpoint, verdict: Verdict, anotherIsHealthy: boolean): void {
    const entry = this.#entries.find(endpoint);
    entry?.learn(verdict);
    if (!entry || entry.isUnhealthy) return;
    const { error, scope } = verdict;
    // A fault that other endpoints are likely to have counts only while one of them is healthy.
    const isFailure = error !== undefined && (scope === "endpoint" || anotherIsHealthy);
    // Retries decide when an endpoint that a dial marked down is up; but its connections may hang as well.
    if (!entry.isUp && !isFailure) return;
    entry.setVerdict(verdict);
    if (isProof(verdict)) entry.unanswered.healthChecked();
    if (isFailure) {
      const { connectable = isConnectable(error.code) } = verdict;
      this.#fail(entry, { cause: "check", error, connectable });
    } else {
      this.#tiers.refresh(entry);
      const before = this.#panic.cause;
      this.#panic.assess(this.#entries.current, this.#tiers);
      if (this.#panic.cause !== before) this.#voidPicks();
    }
  }

  get size(): number {
    return this.#entries.current.length;
  }

  onChange(listener: (change: PoolChange) => void): () => void {
    // The same function may listen twice.
    const added = { call: listener };
    this.#listeners.add(added);
    return () => void this.#listeners.delete(added);
  }

  close(): void {
    this.#retries.close();
    this.#rebalancing.close();
    this.#maxAge.stop();
    this.#entries.close();
    this.#open();
  }

  readonly #leaseEvents: LeaseEvents = {
    now: () => this.#maxAge.now(),
    connected: (entry: PoolEntry): void => {
      if (entry.isDraining) return;
      entry.dialSucceeded(this.#leases);
      const isRecovered = entry.down !== undefined && !entry.down.connectable;
      if (isRecovered) this.#markUp(entry, undefined);
      // It was dialled before a check marked it down.
      else if (entry.down) this.#drain.assess(entry, this.#tiers.isUsable(entry));
      // What is avoided stays in use: it may turn out to be healthy.
      if (!this.#inUse?.isAvoided || !this.#inUse.isUp) this.#setInUse(entry);
      this.#rebalancing.connected();
      this.#settings.onConnected?.(entry.endpoint, isRecovered);
    },
    stalled: ({ isDraining, endpoint }: PoolEntry): void => {
      if (!isDraining) this.#settings.onSuspicion?.(endpoint, "stalled");
    },
    abandoned: ({ isDraining, endpoint }: PoolEntry): void => {
      if (!isDraining) this.#settings.onSuspicion?.(endpoint, "abandoned");
    },
    failed: (entry: PoolEntry, error: GatewayError, lease: number): void => {
      if (error.isLocal || entry.isDraining || entry.isOutdated(lease)) return;
      const { isUp } = entry;
      this.#fail(entry, { cause: "dial", error, connectable: !isUp && isConnectable(error.code) });
      if (isUp && entry.connected.size > 0) this.#settings.onSuspicion?.(entry.endpoint, "refused");
    },
    endedLate: ({ isDraining, endpoint }: PoolEntry): void => {
      if (!isDraining) this.#settings.onSuspicion?.(endpoint, "ended");
    },
    ended: (entry: PoolEntry, failure: GatewayError | undefined, answered: boolean | undefined): void => {
      this.#entries.leaseEnded(entry);
      if (entry.isDraining) return;
      if (answered) entry.unanswered.answered();
      if (answered === false) this.#endedUnanswered(entry);
      else if (failure && !failure.isLocal) this.#settings.onSuspicion?.(entry.endpoint, "lost");
    },
  };

  /**
   * Another entry that is healthy, at random by weight; `picked` itself if there is none. The policy is not asked: what it
   * picks is what it means to use from now on.
   */
  #insteadOf(picked: PoolEntry, tried: readonly PoolEntry[]): PoolEntry {
    const others = this.#tiers
      .healthyBeside(picked)
      .filter(entry => !entry.isAvoided && !tried.includes(entry));
    const candidates = viewOf(others.map(({ candidate }) => candidate));
    return entryOf(pickByWeight(candidates, this.#settings.random)) ?? picked;
  }

  /** Of clients whose endpoint was marked down before they were known: that they are connected is no news of it. */
  readonly #lateLeaseEvents: LeaseEvents = {
    ...this.#leaseEvents,
    connected: (entry: PoolEntry): void => {
      if (entry.down && !this.#tiers.isUsable(entry)) this.#drain.assess(entry, false);
      else this.#leaseEvents.connected(entry);
    },
  };

  /** A custom policy decides alone whether it uses an endpoint that is avoided. */
  #isAvoided({ isAvoided }: PoolEntry): boolean {
    return isAvoided && this.#picker.isBuiltIn;
  }

  /** Whether the client of `request`, or the last one that was connected, needs another endpoint than it had. */
  #isFailover({ tried }: Pick<LeaseRequest, "tried">): boolean {
    // In a panic the few that are healthy by their checks would get the connections of all gateways.
    return tried.length > 0 || (this.#inUse?.down !== undefined && !this.#tiers.panic);
  }

  /** A client's connection was accepted and ended without a byte. */
  #endedUnanswered(entry: PoolEntry): void {
    const { unanswered, endpoint } = entry;
    const consequence = unanswered.add(this.#settings.clock.now());
    if (consequence) this.#settings.onSuspicion?.(endpoint, "unanswered");
    if (consequence !== "fail" || unanswered.isRefutedBy(entry.connected)) return;
    if (entry.isUp && this.#tiers.up <= 1) return;
    const ended = unanswered.count === 1 ? "a connection" : `${unanswered.count} consecutive connections`;
    const detail = `${formatAddress(endpoint)} ended ${ended} before it sent a byte`;
    this.#fail(entry, { cause: "clients", error: new GatewayError("unhealthy", detail), connectable: true });
  }

  /** Marks an entry down, or notes that one which is down has failed for another reason. */
  #fail(entry: PoolEntry, failure: Failure): void {
    if (entry.down) {
      if (entry.failAgain(failure)) this.#changed(entry);
      return;
    }
    const { endpoint, unanswered } = entry;
    const { cause, error } = failure;
    // The clients may be to blame for unanswered connections: a retry at once decides.
    const isDoubtful = cause === "clients" && !unanswered.isOnProbation;
    if (!entry.markDown(failure, this.#settings.clock.now())) return;
    this.#voidPicks();
    const retryInMs = isDoubtful ? 0 : this.#retries.delayMs(entry);
    this.#retries.schedule(entry, retryInMs);
    notify(this.#settings.observer, "endpointDown", { endpoint, error, retryInMs });
    this.#changed(entry);
    this.#callListeners();
    // Where there is no other endpoint to go to, what is being dialled may still succeed.
    if (!this.#tiers.isUsable(entry)) revokeDials(entry, error);
  }

  /** `verdict` is that of a check which has shown that it is up; none if a dial has. */
  #markUp(entry: PoolEntry, verdict: Verdict | undefined): void {
    if (verdict) entry.learn(verdict);
    const downMs = entry.markUp(verdict !== undefined && isProof(verdict), this.#settings.clock.now());
    if (downMs === undefined) return;
    if (verdict) entry.setVerdict(verdict);
    notify(this.#settings.observer, "endpointUp", { endpoint: entry.endpoint, downMs });
    this.#changed(entry);
    this.#callListeners();
  }

  /** The newest connection went to `entry`. Reports a failover if there was a reason besides the policy. */
  #setInUse(entry: PoolEntry): void {
    const previous = this.#inUse;
    this.#inUse = entry;
    const why = previous && previous !== entry && reasonToLeave(previous, entry);
    if (!why) return;
    notify(this.#settings.observer, "failover", { from: previous.endpoint, to: entry.endpoint, why });
    this.#callListeners();
  }

  /** `entry` was marked up or down, or is down for another reason. */
  #changed(entry: PoolEntry): void {
    this.#voidPicks();
    this.#tiers.refresh(entry);
    this.#assess([entry]);
  }

  /** Works out what follows from a change of `entries`; of the others, only if they may be usable now or no longer. */
  #assess(entries: readonly PoolEntry[]): void {
    const tiers = this.#tiers;
    const before = this.#mode;
    this.#mode = tiers.mode;
    this.#panic.assess(this.#entries.current, tiers);
    this.#retries.setUrgent(tiers.panic === "all-down", this.#entries.current);
    for (const entry of this.#mode === before ? entries : tiers.unhealthy)
      this.#drain.assess(entry, tiers.isUsable(entry));
    this.#rebalancing.start();
  }

  #voidPicks(): void {
    for (const { call } of [...this.#onPicksVoid]) call();
  }

  #callListeners(): void {
    const change = { allDown: this.#tiers.panic === "all-down" };
    for (const { call } of [...this.#listeners])
      try {
        call(change);
      } catch (error) {
        process.emitWarning(`gw: a listener of the pool threw: ${messageOf(error)}`);
      }
  }
}

/**
 * A client whose endpoint was marked down or removed before it was known is given so long to be connected, in milliseconds:
 * it may be already, and its dial must not be revoked then.
 */
const lateMs = 50;

/** There is one for each client, so it is small. */
class EntryPick implements EarlyPick {
  readonly #entry: PoolEntry;
  readonly #leaseOf: (entry: PoolEntry, request: LeaseRequest) => Lease;

  constructor(entry: PoolEntry, leaseOf: (entry: PoolEntry, request: LeaseRequest) => Lease) {
    this.#entry = entry;
    this.#leaseOf = leaseOf;
  }

  get endpoint(): Endpoint {
    return this.#entry.endpoint;
  }

  lease(request: LeaseRequest): Lease {
    return this.#leaseOf(this.#entry, request);
  }
}

/** A request of a client that has tried nothing. */
const newClient = { tried: [] } as const;

function reasonToLeave(from: PoolEntry, to: PoolEntry): string | undefined {
  if (from.isDraining) return `${formatAddress(from.endpoint)} is no longer an endpoint`;
  if (from.down) return from.down.error.detail;
  if (to.endpoint.priority < from.endpoint.priority)
    return `priority ${to.endpoint.priority} is preferred to ${from.endpoint.priority}`;
  return undefined;
}

/** Whether a verdict proves that the endpoint answers clients. */
function isProof({ error, conclusive = true }: Verdict): boolean {
  return !error && conclusive;
}

/** Whether an endpoint that failed with `code` may accept connections. */
function isConnectable(code: GatewayErrorCode): boolean {
  return code !== "refused" && code !== "unreachable";
}
