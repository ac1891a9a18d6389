import {
  type Clock,
  createLimiter,
  type Endpoint,
  type EndpointFacts,
  formatAddress,
  GatewayError,
  systemClock,
} from "@gw/interface";
import type { HealthObserver } from "../observer.js";
import { createIdentityDecision, type IdentityView } from "./decision.js";
import { createIdentityReports } from "./reports.js";

/** Options of {@link identifyCluster}. */
export interface ClusterIdentityOptions {
  /**
   * Asks an endpoint for the id of its cluster, in hexadecimal without leading zeros; resolves with undefined if it answers
   * and cannot tell. It should use a new connection, as the next client will, and take no longer than `identityTimeoutMs`.
   *
   * @throws {GatewayError} why there is no answer
   */
  readonly ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<string | undefined>;
  /** The id of the only cluster that is accepted, in hexadecimal, in lower case without leading zeros. @default none */
  readonly pinned?: string | undefined;
  /** The id that an earlier run accepted, in the same form. @default none */
  readonly remembered?: string | undefined;
  /**
   * For how long all endpoints that answer must have told the same new id until the cluster counts as rebuilt, in
   * milliseconds. @default 30000
   */
  readonly holdMs?: number | undefined;
  readonly observer?: HealthObserver | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Takes the endpoints that may be used, whenever they have changed.
 *
 * @param rejected members of other clusters: their connections have to end at once
 */
export type IdentityUse = (
  endpoints: readonly Endpoint[],
  rejected: readonly { readonly endpoint: Endpoint; readonly error: GatewayError }[],
) => void;

/** Keeps members of other clusters away. */
export interface ClusterIdentity {
  /** The id that is accepted and worth remembering for the next run; undefined while it is unknown or provisional. */
  readonly clusterId: string | undefined;
  /** Passes on endpoints from now on. */
  start(use: IdentityUse): void;
  /** Replaces the set. New endpoints are asked before they are passed on, unless there is only one and nothing is known. */
  update(endpoints: readonly Endpoint[]): void;
  /** Takes what an endpoint has said of itself in a health check. */
  learn(endpoint: Endpoint, facts: EndpointFacts): void;
  /**
   * Asks an endpoint that was down before it is used again. Resolves if it may be used.
   *
   * @throws {GatewayError} `wrong-cluster` if it is a member of another cluster
   */
  admit(endpoint: Endpoint, signal: AbortSignal): Promise<void>;
  /** Another member may have taken the endpoint's address: it is asked now, but at most once in ten seconds. */
  suspect(endpoint: Endpoint): void;
  /**
   * A client was connected to an endpoint: it is asked now, unless it was asked a short time ago. Answers to health checks do
   * not count, since their connection may still lead to a former owner of the address.
   *
   * @param isRecovered whether the connection has shown that the endpoint is up again
   */
  connected(endpoint: Endpoint, isRecovered: boolean): void;
  /** What endpoints answer may have changed, as with a new certificate: those without the accepted id are asked again. */
  refresh(): void;
  close(): void;
}

/** How many endpoints are asked at the same time; each takes a descriptor. */
const atOnce = 32;
/** Endpoints of another cluster are asked again after the first time, then after twice as long each time, up to the second. */
const [firstAgainMs, againMs] = [2_000, 60_000];
/** Up to this part of such a time is added or taken away at random. */
const jitterPart = 0.1;
/** Between two questions because an endpoint is suspected, in milliseconds. */
const suspectMs = 10_000;
/**
 * An endpoint that clients connect to is asked again after this time, in milliseconds; with each answer that is the same
 * after four times as long, up to the second. A busy endpoint must not be asked more than twice a minute, checks included.
 */
const [firstStaleMs, staleMs] = [10_000, 150_000];
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

/** An answer on a new connection. Times are in milliseconds. */
interface FreshAnswer {
  /** Undefined if the endpoint cannot tell. */
  readonly clusterId: string | undefined;
  readonly validMs: number;
  /** On the clock. */
  readonly staleAt: number;
}

class Identity implements ClusterIdentity {
  readonly #options: ClusterIdentityOptions;
  readonly #clock: Clock;
  readonly #decision: ReturnType<typeof createIdentityDecision>;
  readonly #reports: ReturnType<typeof createIdentityReports>;
  readonly #limited = createLimiter({ limit: atOnce });
  #isClosed = false;
  /** Of the questions that are under way; one signal for all would have too many listeners. */
  readonly #aborts = new Set<AbortController>();
  #endpoints: ReadonlyMap<string, Endpoint> = new Map();
  #use: IdentityUse | undefined;
  #published: readonly Endpoint[] | undefined;
  /** Questions that are under way or wait for their turn: each with the id that is told. */
  readonly #asking = new Map<string, Promise<string | undefined>>();
  /** Endpoints that have reported something, or were asked. */
  #known = new Set<string>();
  readonly #suspectedAt = new Map<string, number>();
  /** The newest answer of each endpoint to a question, and until when it need not be asked because a client connects. */
  readonly #fresh = new Map<string, FreshAnswer>();
  #clusterId: string | undefined;
  /** Whether any id is accepted. */
  #isDecided: boolean;
  /** The foreign endpoints, as text. */
  #picture = "";
  #pictureAt = -Infinity;
  #againMs = firstAgainMs;
  #againAt = Infinity;
  #isConfirming = false;
  #stopTimer = (): void => {};
  #isDeferred = false;

  constructor(options: ClusterIdentityOptions) {
    const { clock = systemClock, pinned, remembered, holdMs, observer } = options;
    this.#options = options;
    this.#clock = clock;
    this.#decision = createIdentityDecision({ pinned, remembered, holdMs, clock });
    this.#clusterId = pinned ?? remembered;
    this.#isDecided = this.#clusterId !== undefined;
    this.#reports = createIdentityReports(observer, clock);
  }

  get clusterId(): string | undefined {
    return this.#clusterId;
  }

  start(use: IdentityUse): void {
    this.#use = use;
    if (this.#endpoints.size > 0) this.#evaluate();
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = new Map(endpoints.map(endpoint => [formatAddress(endpoint), endpoint]));
    for (const known of [this.#known, this.#suspectedAt, this.#fresh])
      for (const address of known.keys()) if (!this.#endpoints.has(address)) known.delete(address);
    this.#decision.update(endpoints);
    // A single endpoint cannot disagree with others.
    if (endpoints.length > 1 || this.#isDecided)
      for (const [address, endpoint] of this.#endpoints)
        if (!this.#known.has(address)) void this.#ask(endpoint);
    this.#evaluate();
  }

  learn(endpoint: Endpoint, { clusterId }: EndpointFacts): void {
    if (clusterId === undefined) return;
    this.#known.add(formatAddress(endpoint));
    this.#decision.told(endpoint, clusterId);
    this.#evaluateSoon();
  }

  async admit(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    // What is no etcd needs not be asked again and again; and a single endpoint cannot disagree with others.
    if (!this.#isDecided && (this.#endpoints.size === 1 || this.#decision.isUnable(endpoint))) return;
    this.#suspectedAt.set(formatAddress(endpoint), this.#clock.now());
    await this.#askNow(endpoint, signal);
    this.#evaluateSoon();
    const { foreign, accepted } = this.#decision.view();
    const address = formatAddress(endpoint);
    const other = foreign.find(one => formatAddress(one.endpoint) === address);
    if (other && accepted) throw wrongCluster(endpoint, other.clusterId, accepted.clusterId);
  }

  suspect(endpoint: Endpoint): void {
    const address = formatAddress(endpoint);
    const now = this.#clock.now();
    if (!this.#isDecided || now - (this.#suspectedAt.get(address) ?? -Infinity) < suspectMs) return;
    this.#suspectedAt.set(address, now);
    void this.#ask(endpoint);
  }

  connected(endpoint: Endpoint, isRecovered: boolean): void {
    const { staleAt = -Infinity } = this.#fresh.get(formatAddress(endpoint)) ?? {};
    if (isRecovered || this.#clock.now() >= staleAt) this.suspect(endpoint);
  }

  refresh(): void {
    if (this.#endpoints.size === 1 && !this.#isDecided) return;
    const members = new Set(this.#decision.view().members);
    for (const endpoint of this.#endpoints.values()) if (!members.has(endpoint)) void this.#ask(endpoint);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer();
    for (const abort of this.#aborts) abort.abort(new GatewayError("aborted", "the gateway stops"));
  }

  /** Asks an endpoint, in its turn. Never rejects. */
  #ask(endpoint: Endpoint): Promise<string | undefined> {
    const address = formatAddress(endpoint);
    const before = this.#asking.get(address);
    if (before) return before;
    this.#known.add(address);
    const abort = new AbortController();
    const asked = this.#limited(async () => {
      // Its turn may come much later.
      const current = this.#endpoints.get(address);
      if (!current || this.#isClosed) return undefined;
      this.#aborts.add(abort);
      return this.#askNow(current, abort.signal);
    }).then(clusterId => {
      this.#asking.delete(address);
      this.#aborts.delete(abort);
      this.#evaluateSoon();
      return clusterId;
    });
    this.#asking.set(address, asked);
    return asked;
  }

  /** Asks now, and keeps the answer: an id, or undefined if there is none. Never rejects. */
  async #askNow(endpoint: Endpoint, signal: AbortSignal): Promise<string | undefined> {
    try {
      const clusterId = await this.#options.ask(endpoint, signal);
      if (signal.aborted) return undefined;
      this.#keepFresh(endpoint, clusterId);
      if (clusterId === undefined) this.#decision.unable(endpoint);
      else this.#decision.told(endpoint, clusterId);
      return clusterId;
    } catch (error) {
      // An error of this machine's own says nothing about the endpoint.
      if (!signal.aborted && !GatewayError.from(error, "ask").isLocal) this.#decision.silent(endpoint);
      return undefined;
    }
  }

  #keepFresh(endpoint: Endpoint, clusterId: string | undefined): void {
    const address = formatAddress(endpoint);
    const before = this.#fresh.get(address);
    const isSame = before !== undefined && before.clusterId === clusterId;
    const validMs = isSame ? Math.min(before.validMs * 4, staleMs) : firstStaleMs;
    this.#fresh.set(address, { clusterId, validMs, staleAt: this.#clock.now() + validMs });
  }

  #evaluateSoon(): void {
    const { size } = this.#endpoints;
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
    const reportAt = this.#reports.report(view, this.#asking.size > 0);
    this.#stopTimer();
    const nextAt = Math.min(view.nextAt, this.#againAt, reportAt);
    this.#stopTimer = this.#clock.after(Math.max(0, nextAt - now), () => this.#evaluate());
  }

  #publish({ usable, foreign, accepted, isReady }: IdentityView): void {
    if (!this.#use || (!isReady && !this.#published)) return;
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
    const picture = foreign
      .map(({ endpoint, clusterId }) => `${formatAddress(endpoint)} ${clusterId}`)
      .join();
    if (picture !== this.#picture) {
      this.#picture = picture;
      if (foreign.length > 0) void this.#confirm(view);
      // An endpoint that alternates does not make it ask more often.
      if (now - this.#pictureAt >= againMs || this.#againAt === Infinity) {
        this.#pictureAt = now;
        this.#againMs = firstAgainMs;
        this.#againAt = now + this.#againMs;
      }
    }
    if (foreign.length === 0) {
      this.#againAt = Infinity;
      return;
    }
    if (this.#againAt <= now) {
      for (const { endpoint } of foreign) void this.#ask(endpoint);
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
      const told = await Promise.all(members.slice(from, from + count).map(endpoint => this.#ask(endpoint)));
      if (told.includes(accepted?.clusterId) || this.#isClosed) break;
    }
    this.#isConfirming = false;
  }
}
