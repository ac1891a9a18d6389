import {
  type Endpoint,
  type EndpointStatus,
  formatAddress,
  GatewayError,
  type Lease,
  type LeaseRequest,
  messageOf,
  notify,
  type Observer,
  type Selector,
  type Verdict,
} from "@gw/interface";
import { type ClosingSettings, Closings } from "./drain.js";
import { Membership } from "./entries.js";
import { type Aside, type PoolEntry, statusOf } from "./entry.js";
import { lease, type Outcomes } from "./lease.js";
import { type Aging, type AgingSettings, retireOldConnections } from "./max-age.js";
import { Picker } from "./offer.js";
import type { EndpointPool, PoolChange } from "./options.js";
import { Panic } from "./panic.js";
import { type Rebalancing, type RebalancingSettings, rebalancing } from "./rebalance.js";
import { Retries, type RetrySettings } from "./retry.js";
import { Tiers } from "./tiers.js";

/** What a pool works with; see the options of `createPool`. */
export interface PoolSettings extends RetrySettings, ClosingSettings, AgingSettings, RebalancingSettings {
  readonly selector: Selector;
  readonly panicThreshold: number;
  readonly onSuspicion: ((endpoint: Endpoint) => void) | undefined;
  readonly isProof: (verdict: Verdict) => boolean;
}

/** The pool of `createPool`: knows who is up and who is set aside, and tells what follows when that changes. */
export class SelectingPool implements EndpointPool {
  readonly #settings: PoolSettings;
  readonly #observer: Observer | undefined;
  readonly #membership: Membership;
  readonly #picker: Picker;
  readonly #switches: Switches;
  readonly #retries: Retries;
  readonly #panic: Panic;
  readonly #closings: Closings;
  readonly #rebalancing: Rebalancing;
  readonly #aging: Aging;
  readonly #tiers: Tiers;
  readonly #listeners = new ChangeListeners<PoolChange>();
  /** How members were used when connections were last closed, or left, for the reason that others are down. */
  #mode = "";
  /** How many leases were handed out; orders them. */
  #leases = 0;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    this.#observer = settings.observer;
    this.#membership = new Membership(settings.clock);
    this.#tiers = new Tiers(settings.panicThreshold);
    this.#picker = new Picker(settings.selector, settings.observer);
    this.#switches = new Switches(settings.observer);
    this.#retries = new Retries(settings, (member, verdict) =>
      this.#takeBack(member, verdict !== undefined && settings.isProof(verdict)),
    );
    this.#panic = new Panic(settings.observer, settings.clock);
    this.#closings = new Closings(settings);
    this.#rebalancing = rebalancing(settings, () => ({
      members: this.#membership.members,
      // In a panic nobody is known to be a better place.
      serving: this.#tiers.panic ? [] : this.#tiers.offered,
    }));
    this.#aging = retireOldConnections(settings, () => this.#membership.members);
  }

  update(endpoints: readonly Endpoint[]): void {
    const { added, removed } = this.#membership.replace(endpoints);
    for (const member of removed) this.#closings.removed(member);
    if (added.length + removed.length > 0)
      notify(this.#observer, "poolChanged", { added, removed: removed.map(toEndpoint) });
    this.#tiers.replace(this.#membership.members);
    this.#assess(this.#tiers.unhealthy);
    if (added.length + removed.length > 0) this.#announce();
  }

  acquire(request: LeaseRequest): Lease | undefined {
    const tried = request.tried.flatMap(endpoint => this.#membership.find(endpoint) ?? []);
    const member = this.#picker.pick(this.#tiers.offer(tried));
    if (!member) return undefined;
    this.#leases += 1;
    return lease(member, this.#leases, this.#outcomes, request);
  }

  inspect(): readonly EndpointStatus[] {
    const { members, leaving } = this.#membership;
    return [...members, ...leaving].map(member => statusOf(member, this.#switches.current));
  }

  report(endpoint: Endpoint, verdict: Verdict, elsewhere: boolean): void {
    const member = this.#membership.find(endpoint);
    if (!member || member.aside?.unhealthy) return;
    const conclusive = isConclusive(verdict, elsewhere);
    // What a dial has set aside is tried again in its own time; but its connections may hang as well.
    if (member.aside && !conclusive) return;
    member.verdict = verdict;
    if (!verdict.error && this.#settings.isProof(verdict)) member.unanswered.proven();
    if (verdict.error && conclusive)
      this.#foundUnhealthy(member, verdict.error, isDeep(verdict.error, verdict));
    else {
      this.#tiers.note(member);
      this.#panic.assess(this.#membership.members, this.#tiers);
    }
  }

  onChange(listener: (change: PoolChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#retries.close();
    this.#rebalancing.close();
    this.#aging.stop();
    this.#membership.close();
  }

  readonly #outcomes: Outcomes = {
    now: () => this.#aging.now(),
    connected: (member: PoolEntry): void => {
      if (member.removed) return;
      member.provenAt = this.#leases;
      if (member.aside && !member.aside.deep) this.#takeBack(member, false);
      // It was dialled before it was found to be unhealthy.
      else if (member.aside) this.#closings.assess(member, this.#tiers.isUsable(member));
      if (this.#switches.connected(member)) this.#announce();
    },
    failed: (member: PoolEntry, error: GatewayError, order: number): void => {
      // A dial that began before another succeeded tells nothing new.
      if (error.isLocal || member.removed || order <= member.provenAt) return;
      if (member.aside) this.#failedAgain(member, member.aside, error);
      else this.#dialFailed(member, error);
    },
    ended: (member: PoolEntry, failure: GatewayError | undefined, answered: boolean | undefined): void => {
      this.#membership.ended(member);
      if (member.removed) return;
      if (answered) member.unanswered.answered();
      if (answered === false) this.#endedUnanswered(member);
      else if (failure && !failure.isLocal) this.#settings.onSuspicion?.(member.endpoint);
    },
  };

  #dialFailed(member: PoolEntry, error: GatewayError): void {
    this.#endpointDown(member, { error, unhealthy: false, deep: false, observed: false });
    if (member.connected.size > 0) this.#settings.onSuspicion?.(member.endpoint);
  }

  #foundUnhealthy(member: PoolEntry, error: GatewayError, deep: boolean): void {
    const found = { error, unhealthy: true, deep };
    if (member.aside) {
      member.aside = { ...member.aside, ...found };
      this.#changed(member);
    } else this.#endpointDown(member, { ...found, observed: false });
  }

  /** A client's connection was accepted and ended without a byte. */
  #endedUnanswered(member: PoolEntry): void {
    const { unanswered, endpoint } = member;
    const consequence = unanswered.add(this.#settings.clock.now());
    if (consequence) this.#settings.onSuspicion?.(endpoint);
    if (consequence !== "fail" || unanswered.isRefutedBy(member)) return;
    if (member.aside?.deep && !member.aside.observed) {
      member.aside = { ...member.aside, observed: true };
      this.#changed(member);
    } else if (!member.aside && this.#tiers.up > 1) {
      const ended = unanswered.count === 1 ? "a connection" : `${unanswered.count} connections in a row`;
      const detail = `${formatAddress(endpoint)} ended ${ended} before it sent a byte`;
      const error = new GatewayError("unhealthy", detail);
      this.#endpointDown(member, { error, unhealthy: false, deep: true, observed: true });
    }
  }

  #endpointDown(member: PoolEntry, found: Pick<Aside, "error" | "unhealthy" | "deep" | "observed">): void {
    const { endpoint } = member;
    const { error } = found;
    const now = this.#settings.clock.now();
    member.backoff.fell(now);
    // Where clients may be to blame, a check can tell at once.
    const isDoubtful = found.observed && !member.unanswered.isOnProbation;
    const retryInMs = isDoubtful ? 0 : this.#retries.waitMs(member);
    member.unanswered.down();
    member.aside = { since: now, retryAt: now + retryInMs, ...found };
    notify(this.#observer, "endpointDown", { endpoint, error, retryInMs });
    this.#retries.begin(member);
    this.#changed(member);
    this.#announce();
    // Where there is no other endpoint to go to, what is being dialled may still succeed.
    if (!this.#tiers.isUsable(member)) member.revokeDials(error);
  }

  #failedAgain(member: PoolEntry, aside: Aside, error: GatewayError): void {
    const deep = aside.deep && isDeep(error);
    member.aside = { ...aside, error, deep };
    if (deep !== aside.deep) this.#changed(member);
  }

  #takeBack(member: PoolEntry, isProven: boolean): void {
    const now = this.#settings.clock.now();
    const downMs = now - (member.aside?.since ?? 0);
    member.aside = undefined;
    member.verdict = undefined;
    member.since = now;
    member.backoff.recovered(now);
    member.unanswered.up(isProven);
    member.retry.cancel();
    member.farewell.cancel();
    notify(this.#observer, "endpointUp", { endpoint: member.endpoint, downMs });
    this.#changed(member);
    this.#announce();
  }

  #announce(): void {
    this.#listeners.call({ allDown: this.#tiers.panic === "all-down" });
  }

  /** `member` was marked up or down, or for another reason. */
  #changed(member: PoolEntry): void {
    this.#tiers.note(member);
    this.#assess([member]);
  }

  /** Works out what follows from a change of `members`; of the others, only where they are used otherwise than before. */
  #assess(members: readonly PoolEntry[]): void {
    const tiers = this.#tiers;
    const before = this.#mode;
    this.#mode = tiers.mode;
    this.#panic.assess(this.#membership.members, tiers);
    this.#retries.hurry(tiers.panic === "all-down", this.#membership.members);
    for (const member of this.#mode === before ? members : tiers.unhealthy)
      this.#closings.assess(member, tiers.isUsable(member));
    this.#rebalancing.begin();
  }
}

function toEndpoint({ endpoint }: PoolEntry): Endpoint {
  return endpoint;
}

/** Functions that are called on each change. What one throws becomes a process warning. */
class ChangeListeners<Change> {
  readonly #listeners = new Set<{ readonly call: (change: Change) => void }>();

  /** @returns a function that removes `listener` */
  add(listener: (change: Change) => void): () => void {
    // The same function may listen twice.
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  call(change: Change): void {
    for (const { call } of [...this.#listeners])
      try {
        call(change);
      } catch (error) {
        process.emitWarning(`gw: a listener of the pool threw: ${messageOf(error)}`);
      }
  }
}

/** Tells when connections go to another member than before, where that is not just the policy's way. */
class Switches {
  readonly #observer: Observer | undefined;
  /** The member that the newest connection went to. */
  #current: PoolEntry | undefined;

  constructor(observer: Observer | undefined) {
    this.#observer = observer;
  }

  /** The member that the newest connection went to. */
  get current(): PoolEntry | undefined {
    return this.#current;
  }

  /** A connection was made to `member`; returns whether that was a failover. */
  connected(member: PoolEntry): boolean {
    const last = this.#current;
    this.#current = member;
    if (!last || last === member) return false;
    const why = reasonToLeave(last, member);
    if (why) notify(this.#observer, "failover", { from: last.endpoint, to: member.endpoint, why });
    return why !== undefined;
  }
}

function reasonToLeave(from: PoolEntry, to: PoolEntry): string | undefined {
  if (from.removed) return `${formatAddress(from.endpoint)} is no longer an endpoint`;
  if (from.aside) return from.aside.error.detail;
  if (to.endpoint.priority < from.endpoint.priority)
    return `priority ${to.endpoint.priority} is preferred to ${from.endpoint.priority}`;
  return undefined;
}

/**
 * Whether a verdict is a reason to leave an endpoint. What other members are likely to have as well is one only if
 * another is known to be well.
 */
function isConclusive({ error, scope }: Verdict, elsewhere: boolean): boolean {
  return error !== undefined && (scope === "endpoint" || elsewhere);
}

/** Whether connections are accepted in spite of `error`, so that a dial cannot tell when it is over. */
function isDeep({ code }: GatewayError, verdict?: Verdict): boolean {
  if (code === "refused" || code === "unreachable") return false;
  return !(code === "timed-out" && verdict?.check === "tcp");
}
