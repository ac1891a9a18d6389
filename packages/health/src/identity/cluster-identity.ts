import {
  type Clock,
  type Endpoint,
  type EndpointFacts,
  formatAddress,
  GatewayError,
  startTimeout,
  systemClock,
} from "@gw/interface";
import { identityWaitMs } from "../defaults.js";
import type { ClusterIdentity, ClusterIdentityOptions, IdentityUse } from "./contract.js";
import { createIdentityDecision, type IdentityDecision, type IdentityView } from "./decision.js";
import { createIdentityEvents, type IdentityEvents } from "./events.js";
import { Questions } from "./questions.js";

/** Endpoints of another cluster are asked again after the first time, then after twice as long each time, up to the second. */
const [firstAgainMs, againMs] = [2_000, 60_000];
/**
 * At the start, endpoints that have answered wait this long for the others, in milliseconds: clients that come first should
 * not go to one of a worse priority because it was quicker.
 */
const settleMs = 250;
/** Up to this part of such a time is added or taken away at random. */
const jitterPart = 0.1;
/** Larger sets are not evaluated after each answer, but once in a time that grows with them: in 100 ms for 10,000. */
const [evaluatedAtOnce, evaluatedPerMs] = [1_000, 100];

/**
 * Passes on only the endpoints that belong to one etcd cluster, and those that cannot tell. Which cluster: the pinned one;
 * else the remembered one; else that of the majority; else the one whose member answered first.
 *
 * New endpoints are waited for, a second at most each, as long as there are others that have answered or may do so.
 * Members of another cluster are asked again at least once a minute.
 */
export function identifyCluster(options: ClusterIdentityOptions): ClusterIdentity {
  return new Identity(options);
}

/** The error of an endpoint that belongs to `clusterId` and not to `accepted`. */
export function wrongCluster(endpoint: Endpoint, clusterId: string, accepted: string): GatewayError {
  const detail = `${formatAddress(endpoint)} is a member of cluster ${clusterId}, not of ${accepted}`;
  return new GatewayError("wrong-cluster", detail);
}

class Identity implements ClusterIdentity {
  readonly #options: ClusterIdentityOptions;
  readonly #clock: Clock;
  readonly #decision: IdentityDecision;
  readonly #questions: Questions;
  readonly #events: IdentityEvents;
  #set: readonly Endpoint[] = [];
  #isSetKnown = false;
  #use: IdentityUse | undefined;
  #published: readonly Endpoint[] | undefined;
  /** When the first set was known. */
  #startedAt = Infinity;
  #clusterId: string | undefined;
  /** Whether any id is accepted. */
  #isDecided: boolean;
  /** The foreign endpoints as text, and since when they are these. */
  #foreign = { text: "", since: -Infinity };
  #againMs = firstAgainMs;
  #againAt = Infinity;
  #isConfirming = false;
  #stopTimer = (): void => {};
  /** End the waits for first answers. */
  readonly #stopWaits = new Set<() => void>();
  #isDeferred = false;
  #isClosed = false;

  constructor(options: ClusterIdentityOptions) {
    const { ask, clock = systemClock, pinned, remembered, holdMs, observer } = options;
    this.#options = options;
    this.#clock = clock;
    this.#decision = createIdentityDecision({ pinned, remembered, holdMs, clock });
    this.#questions = new Questions({
      ask,
      decision: this.#decision,
      onAnswer: () => this.#evaluateSoon(),
      clock,
    });
    this.#events = createIdentityEvents(observer, clock);
    this.#clusterId = pinned ?? remembered;
    this.#isDecided = this.#clusterId !== undefined;
  }

  get clusterId(): string | undefined {
    return this.#clusterId;
  }

  start(use: IdentityUse): void {
    this.#use = use;
    if (this.#isSetKnown) this.#evaluate();
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#set = endpoints;
    this.#startedAt = Math.min(this.#startedAt, this.#clock.now());
    this.#isSetKnown = true;
    this.#questions.update(endpoints);
    const added = this.#decision.update(endpoints);
    if (added.length > 0) this.#waitFor(added);
    if (!this.#isAlone)
      for (const endpoint of endpoints)
        if (!this.#questions.hasAsked(endpoint)) void this.#questions.ask(endpoint);
    this.#evaluate();
  }

  learn(endpoint: Endpoint, { clusterId }: EndpointFacts): void {
    if (clusterId === undefined) return;
    this.#decision.told(endpoint, clusterId);
    this.#evaluateSoon();
  }

  async admit(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    // What is no etcd needs not be asked again and again.
    if (this.#isAlone || (!this.#isDecided && this.#decision.find(endpoint)?.isUnable)) return;
    await this.#questions.askNow(endpoint, signal);
    this.#evaluateSoon();
    const { foreign, accepted } = this.#decision.view();
    const address = formatAddress(endpoint);
    const other = foreign.find(one => formatAddress(one.endpoint) === address);
    if (other && accepted) throw wrongCluster(endpoint, other.clusterId, accepted.clusterId);
  }

  suspect(endpoint: Endpoint): void {
    if (this.#isDecided) this.#questions.askSoon(endpoint);
  }

  moved(host: string): void {
    for (const endpoint of this.#set) if (endpoint.host === host) this.suspect(endpoint);
  }

  connected(endpoint: Endpoint, isRecovered: boolean): void {
    if (isRecovered && this.#isDecided) void this.#questions.ask(endpoint);
    else if (this.#questions.isStale(endpoint)) this.suspect(endpoint);
  }

  refresh(): void {
    if (this.#isAlone) return;
    const members = new Set(this.#decision.view().members);
    for (const endpoint of this.#set) if (!members.has(endpoint)) void this.#questions.ask(endpoint);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
    for (const stop of this.#stopWaits) stop();
    this.#questions.close();
  }

  /** Whether there is a single endpoint, and no id: it cannot disagree with anything. */
  get #isAlone(): boolean {
    return this.#set.length === 1 && !this.#isDecided;
  }

  /** Waits for the first answers of these endpoints, as long as others are there and this process runs. */
  #waitFor(endpoints: readonly Endpoint[]): void {
    const stop = startTimeout(this.#clock, identityWaitMs, () => {
      this.#stopWaits.delete(stop);
      this.#decision.giveUp(endpoints);
      this.#evaluate();
    });
    this.#stopWaits.add(stop);
  }

  #evaluateSoon(): void {
    const { length: size } = this.#set;
    if (size <= evaluatedAtOnce) this.#evaluate();
    else if (!this.#isDeferred) {
      this.#isDeferred = true;
      this.#clock.after(size / evaluatedPerMs, () => {
        this.#isDeferred = false;
        this.#evaluate();
      });
    }
  }

  /** Works out what follows from all that is known now. */
  #evaluate(): void {
    if (this.#isClosed) return;
    const now = this.#clock.now();
    const view = this.#decision.view();
    this.#publish(view);
    const { accepted } = view;
    this.#isDecided = accepted !== undefined;
    if (accepted && !accepted.isProvisional) this.#clusterId = accepted.clusterId;
    this.#askAgain(view, now);
    const reportAt = this.#events.report(view, this.#questions.isAsking);
    this.#stopTimer();
    const settledAt = this.#isSettling(view, now) ? this.#startedAt + settleMs : Infinity;
    const nextAt = Math.min(this.#againAt, reportAt, settledAt);
    this.#stopTimer = this.#clock.after(Math.max(0, nextAt - now), () => this.#evaluate());
  }

  /** Whether the first endpoints are withheld because others are about to answer. */
  #isSettling({ pending }: IdentityView, now: number): boolean {
    return !this.#published && pending.length > 0 && now < this.#startedAt + settleMs;
  }

  #publish(view: IdentityView): void {
    const { usable, foreign, accepted, isReady } = view;
    if (!this.#use || this.#isSettling(view, this.#clock.now()) || (!isReady && !this.#published)) return;
    const others = new Set(foreign.map(({ endpoint }) => formatAddress(endpoint)));
    // Until one of a new set has answered, the old ones serve: they are of the right cluster.
    const next = isReady
      ? usable
      : (this.#published ?? []).filter(endpoint => !others.has(formatAddress(endpoint)));
    const before = this.#published;
    if (before && before.length === next.length && next.every((endpoint, at) => endpoint === before[at]))
      return;
    this.#published = next;
    const right = accepted?.clusterId ?? "";
    this.#use(
      next,
      foreign.map(({ endpoint, clusterId }) => ({
        endpoint,
        error: wrongCluster(endpoint, clusterId, right),
      })),
    );
  }

  /** Asks endpoints of other clusters again, and whether the accepted cluster is still there. */
  #askAgain(view: IdentityView, now: number): void {
    const { foreign, holdEndsAt } = view;
    const text = foreign.map(({ endpoint, clusterId }) => `${formatAddress(endpoint)} ${clusterId}`).join();
    if (text !== this.#foreign.text) {
      if (foreign.length > 0) void this.#confirm(view);
      // An endpoint that alternates does not make it ask more often.
      const isRecent = this.#againAt < Infinity && now - this.#foreign.since < againMs;
      if (!isRecent) [this.#againMs, this.#againAt] = [firstAgainMs, now + firstAgainMs];
      this.#foreign = { text, since: isRecent ? this.#foreign.since : now };
    }
    if (foreign.length === 0) {
      this.#againAt = Infinity;
      return;
    }
    if (this.#againAt <= now) {
      for (const { endpoint } of foreign) void this.#questions.ask(endpoint);
      void this.#confirm(view);
      this.#againMs = Math.min(this.#againMs * 2, againMs);
      const { random = Math.random } = this.#options;
      this.#againAt = now + this.#againMs * (1 - jitterPart + random() * 2 * jitterPart);
    }
    if (holdEndsAt !== undefined && holdEndsAt >= now)
      this.#againAt = Math.min(this.#againAt, holdEndsAt + 1);
  }

  /** Asks members of the accepted cluster until one answers as such: one, then two, then four and so on at a time. */
  async #confirm({ members, accepted }: IdentityView): Promise<void> {
    if (this.#isConfirming) return;
    this.#isConfirming = true;
    for (let from = 0, count = 1; from < members.length; from += count, count *= 2) {
      const told = await Promise.all(
        members.slice(from, from + count).map(endpoint => this.#questions.ask(endpoint)),
      );
      if (told.includes(accepted?.clusterId) || this.#isClosed) break;
    }
    this.#isConfirming = false;
  }
}
