import {
  createListeners,
  type EarlyPick,
  type Endpoint,
  type EndpointActivity,
  type EndpointStatus,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Lease,
  type LeaseRequest,
  notify,
  sameEndpoint,
  type Verdict,
} from "@gw/interface";
import { recordedError } from "../replay/record.js";
import { reportOf } from "../replay/recording.js";
import { snapshotOf } from "../replay/snapshot.js";
import { EarlyPicks } from "./early-picks.js";
import type { EndpointPool, PoolChange, RejectedEndpoint } from "./endpoint-pool.js";
import { Entries } from "./entries.js";
import type { Down, Failure, PoolEntry } from "./entry.js";
import { Leadership } from "./leadership.js";
import { createLease, type LeaseEvents, revokeDials } from "./lease.js";
import { Drain } from "./moving/drain.js";
import { following } from "./moving/follow.js";
import { closeOldConnections, type MaxAge } from "./moving/max-age.js";
import { type Rebalancing, rebalancing } from "./moving/rebalance.js";
import { type PoolOptions, type PoolSettings, poolSettings } from "./options.js";
import { type Cause, PanicReports } from "./panic.js";
import { Picker } from "./picker.js";
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
  readonly #earlyPicks: EarlyPicks;
  readonly #listeners = createListeners<[change: PoolChange]>("the pool");
  /** The entry that the newest connection went to. */
  #inUse: PoolEntry | undefined;
  /** Which entries were usable when drains were last assessed. */
  #mode = "";
  /** How many leases were handed out; orders them. */
  #leases = 0;
  /** Ends the wait of clients for endpoints. */
  #open: () => void = () => {};
  opening: Promise<void> | undefined;

  /** @param retriesAtOnce @default that of {@link Retries} */
  constructor(settings: PoolSettings, retriesAtOnce?: number) {
    const { clock } = settings;
    const entries = new Entries({ clock, leadership: new Leadership(clock) });
    const tiers = new Tiers(settings.panicThreshold);
    const panic = new PanicReports(settings);
    const picker = new Picker(settings, tiers);
    const drain = new Drain(settings);
    this.#settings = settings;
    this.#entries = entries;
    this.#tiers = tiers;
    this.#picker = picker;
    this.#retries = new Retries(settings, (entry, verdict) => this.#markUp(entry, verdict), retriesAtOnce);
    this.#panic = panic;
    this.#drain = drain;
    // In a panic no endpoint is known to be a better one.
    const serving = (): readonly PoolEntry[] => (panic.cause ? [] : tiers.offered);
    this.#rebalancing = settings.selector.target
      ? following(settings, () => ({
          entries: entries.current,
          serving: serving(),
          target: panic.cause ? undefined : picker.target(),
        }))
      : rebalancing(settings, () => ({ entries: entries.current, serving: serving() }));
    this.#maxAge = closeOldConnections(settings, () => entries.current);
    const [events, lease] = [this.#leaseEvents, this.#lease];
    this.#earlyPicks = new EarlyPicks({ entries, tiers, drain, clock, events, lease });
    settings.recording?.begin(settings, () => snapshotOf(entries, panic));
    if (settings.waitForEndpoints)
      this.opening = new Promise(resolve => {
        this.#open = resolve;
      });
  }

  update(endpoints: readonly Endpoint[], rejected: readonly RejectedEndpoint[] = []): void {
    const errors = errorsOf(rejected.filter(({ connections }) => connections !== "drain"));
    this.#settings.recording?.hold();
    this.#earlyPicks.setChanges(errors);
    const { added, removed } = this.#entries.replace(
      endpoints,
      rejected.length > 0 ? errorsOf(rejected) : errors,
    );
    this.#recordSet();
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
    const picked = this.#picker.pick(tried, this.#isFailover(request.tried));
    return picked && this.#lease(picked, request, this.#leaseEvents);
  }

  pickAhead(): EarlyPick | undefined {
    if (this.opening || this.#isFailover([])) return undefined;
    const picked = this.#picker.pickAhead();
    return picked && this.#earlyPicks.of(picked);
  }

  onPicksVoid(listener: () => void): () => void {
    return this.#earlyPicks.onVoid(listener);
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
    this.#earlyPicks.invalidate();
  }

  report(endpoint: Endpoint, verdict: Verdict, anotherIsHealthy: boolean): void {
    const entry = this.#entries.find(endpoint);
    if (entry) this.#settings.recording?.input(reportOf(formatAddress(endpoint), verdict, anotherIsHealthy));
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
      if (this.#panic.cause !== before) this.#earlyPicks.invalidate();
    }
  }

  get size(): number {
    return this.#entries.current.length;
  }

  onChange(listener: (change: PoolChange) => void): () => void {
    return this.#listeners.add(listener);
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
      // What is avoided stays in use: it may turn out to be healthy.
      const moves = !this.#inUse?.isAvoided || !this.#inUse.isUp;
      if (isRecovered || (entry !== this.#inUse && moves)) this.#recordConnected(entry, isRecovered, moves);
      if (isRecovered) this.#markUp(entry, undefined);
      // It was dialled before a check marked it down.
      else if (entry.down) this.#drain.assess(entry, this.#tiers.isUsable(entry));
      if (moves) this.#setInUse(entry);
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
      this.#dialFailed(entry, error);
      if (isUp && entry.connected.size > 0) this.#settings.onSuspicion?.(entry.endpoint, "refused");
    },
    endedLate: ({ isDraining, endpoint }: PoolEntry): void => {
      if (!isDraining) this.#settings.onSuspicion?.(endpoint, "ended");
    },
    ended: (entry: PoolEntry, failure: GatewayError | undefined, answered: boolean | undefined): void => {
      this.#entries.leaseEnded(entry);
      if (entry.isDraining) return;
      if (answered) this.#answered(entry);
      if (answered === false) this.#endedUnanswered(entry);
      else if (failure && !failure.isLocal) this.#settings.onSuspicion?.(entry.endpoint, "lost");
    },
  };

  readonly #lease = (entry: PoolEntry, request: LeaseRequest, events: LeaseEvents): Lease => {
    this.#leases += 1;
    return createLease(entry, this.#leases, events, request);
  };

  /** Whether a client that has `tried` endpoints, or the last one that was connected, needs another endpoint than it had. */
  #isFailover(tried: readonly Endpoint[]): boolean {
    // In a panic the few that are healthy by their checks would get the connections of all gateways.
    return tried.length > 0 || (this.#inUse?.down !== undefined && !this.#tiers.panic);
  }

  /** A client's connection was accepted and ended without a byte. */
  #endedUnanswered(entry: PoolEntry, knownRefuted?: boolean): void {
    const { unanswered, endpoint } = entry;
    const { recording } = this.#settings;
    recording?.hold();
    const consequence = unanswered.add(this.#settings.clock.now());
    const refuted = consequence === "fail" && (knownRefuted ?? unanswered.isRefutedBy(entry.connected));
    recording?.input({ do: "unanswered", endpoint: formatAddress(endpoint), refuted });
    if (consequence) this.#settings.onSuspicion?.(endpoint, "unanswered");
    if (consequence !== "fail" || refuted) return;
    if (entry.isUp && this.#tiers.up <= 1) return;
    const ended = unanswered.count === 1 ? "a connection" : `${unanswered.count} consecutive connections`;
    const detail = `${formatAddress(endpoint)} ended ${ended} before it sent a byte`;
    this.#fail(entry, { cause: "clients", error: new GatewayError("unhealthy", detail), connectable: true });
  }

  /** A client of it got an answer. */
  #answered(entry: PoolEntry): void {
    if (entry.unanswered.isCounting)
      this.#settings.recording?.input({ do: "answered", endpoint: formatAddress(entry.endpoint) });
    entry.unanswered.answered();
  }

  /** A dial of a client failed, and none has succeeded since it began. */
  #dialFailed(entry: PoolEntry, error: GatewayError): void {
    const connectable = !entry.isUp && isConnectable(error.code);
    const { recording } = this.#settings;
    if (recording && !isKnownFailure(entry.down, error, connectable))
      recording.input({ do: "failed", endpoint: formatAddress(entry.endpoint), error: recordedError(error) });
    this.#fail(entry, { cause: "dial", error, connectable });
  }

  #recordSet(): void {
    const { current, returned } = this.#entries;
    const endpoints = current.map(({ endpoint }) => endpoint);
    this.#settings.recording?.input({ do: "set", endpoints, returned });
  }

  #recordConnected(entry: PoolEntry, isRecovered: boolean, moves: boolean): void {
    const { recording } = this.#settings;
    if (!recording) return;
    const from = this.#inUse;
    // Policies that alternate move it with each connection.
    if (!isRecovered && !(from && reasonToLeave(from, entry))) return;
    recording.input({
      do: "connected",
      endpoint: formatAddress(entry.endpoint),
      moves,
      ...(from && {
        from: formatAddress(from.endpoint),
        ...(from.isDraining && { fromLeft: recordedError(from.leftBecause) }),
      }),
    });
  }

  /** For a replay. */
  get internals(): PoolInternals {
    return {
      entries: this.#entries,
      restore: (urgent, panic) => {
        this.#tiers.replace(this.#entries.current);
        this.#mode = this.#tiers.mode;
        this.#panic.restore(panic?.cause, panic?.since ?? 0);
        this.#retries.restore(urgent, this.#entries.current);
      },
      hold: entry => void this.#lease(entry, { tried: [], onRevoked() {} }, this.#leaseEvents),
      connected: (entry, moves, from) => {
        if (from) this.#inUse = from;
        if (entry.down !== undefined && !entry.down.connectable) this.#markUp(entry, undefined);
        if (moves) this.#setInUse(entry);
      },
      dialFailed: (entry, error) => this.#dialFailed(entry, error),
      answered: entry => this.#answered(entry),
      unanswered: (entry, refuted) => this.#endedUnanswered(entry, refuted),
    };
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
    this.#earlyPicks.invalidate();
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
    // An endpoint that left the set and came back has another entry.
    if (!previous || sameEndpoint(previous.endpoint, entry.endpoint)) return;
    const why = reasonToLeave(previous, entry);
    if (!why) return;
    notify(this.#settings.observer, "failover", { from: previous.endpoint, to: entry.endpoint, why });
    this.#callListeners();
  }

  /** `entry` was marked up or down, or is down for another reason. */
  #changed(entry: PoolEntry): void {
    this.#earlyPicks.invalidate();
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

  #callListeners(): void {
    this.#listeners.call({ allDown: this.#tiers.panic === "all-down" });
  }
}

function errorsOf(rejected: readonly RejectedEndpoint[]): ReadonlyMap<string, GatewayError> {
  return new Map(rejected.map(({ endpoint, error }) => [formatAddress(endpoint), error]));
}

/** What a replay needs of a pool: what it does when something happens that was recorded. */
export interface PoolInternals {
  readonly entries: Entries;
  /** Goes on with the recorded states of entries. */
  restore(urgent: boolean, panic: { readonly cause: Cause; readonly since: number } | undefined): void;
  /** Keeps the state of an entry that leaves the set, as a connection does. */
  hold(entry: PoolEntry): void;
  connected(entry: PoolEntry, moves: boolean, from: PoolEntry | undefined): void;
  dialFailed(entry: PoolEntry, error: GatewayError): void;
  answered(entry: PoolEntry): void;
  unanswered(entry: PoolEntry, refuted: boolean): void;
}

/** A pool whose decisions follow from a record. Its retries are as many at a time as the record's were. */
export function createReplayedPool(
  options: PoolOptions,
): EndpointPool & { readonly internals: PoolInternals } {
  return new SelectingPool(poolSettings(options), Number.MAX_SAFE_INTEGER);
}

/** Whether the failure of a dial says nothing new of an entry that is down. */
function isKnownFailure(down: Down | undefined, error: GatewayError, connectable: boolean): boolean {
  if (!down || (down.connectable && !connectable)) return false;
  return down.error.code === error.code && down.error.detail === error.detail;
}

function reasonToLeave(from: PoolEntry, to: PoolEntry): string | undefined {
  if (from.isDraining) return from.leftBecause.detail;
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
