import { type Clock, createLimiter, type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import type { IdentityDecision } from "./decision.js";

/** What {@link Questions} are asked with. */
export interface QuestionsOptions {
  /** See `ClusterIdentityOptions.ask`. */
  readonly ask: (endpoint: Endpoint, signal: AbortSignal) => Promise<string | undefined>;
  /** Is told the answers. */
  readonly decision: IdentityDecision;
  /** Called after each answer. */
  readonly onAnswer: () => void;
  readonly clock: Clock;
}

/** How many endpoints are asked at the same time; each takes a descriptor. */
const atOnce = 32;
/** The least time between two questions to an endpoint that is suspected, in milliseconds. */
const suspectMs = 2_000;

/**
 * An endpoint that clients connect to is asked again after this time, in milliseconds; with each answer that is the same
 * after four times as long, up to the second. A busy endpoint must not be asked more than twice a minute, checks included.
 */
const [firstStaleMs, staleMs] = [10_000, 150_000];

/** The newest answer of an endpoint. Times are in milliseconds. */
interface Answer {
  /** Undefined if the endpoint cannot tell. */
  readonly clusterId: string | undefined;
  readonly validMs: number;
  /** On the clock. */
  readonly staleAt: number;
}

/** Asks endpoints for the id of their cluster, each at most once at a time. */
export class Questions {
  readonly #options: QuestionsOptions;
  readonly #limited = createLimiter({ limit: atOnce });
  #endpoints: ReadonlyMap<string, Endpoint> = new Map();
  /** Those that are under way or wait for their turn: each with the id that is told. */
  readonly #asking = new Map<string, Promise<string | undefined>>();
  /** Of those that are under way; one signal for all would have too many listeners. */
  readonly #aborts = new Set<AbortController>();
  readonly #answers = new Map<string, Answer>();
  /** When each endpoint was last asked. */
  readonly #askedAt = new Map<string, number>();
  /** Ends the waits for the next questions to suspected endpoints. */
  readonly #suspected = new Map<string, () => void>();
  #isClosed = false;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** Whether any is under way, or waits for its turn. */
  get isAsking(): boolean {
    return this.#asking.size > 0;
  }

  /** Replaces the set; others are not asked. */
  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = new Map(endpoints.map(endpoint => [formatAddress(endpoint), endpoint]));
    for (const address of this.#askedAt.keys())
      if (!this.#endpoints.has(address)) {
        this.#askedAt.delete(address);
        this.#answers.delete(address);
        this.#suspected.get(address)?.();
        this.#suspected.delete(address);
      }
  }

  /** Whether an endpoint was asked since it is in the set. */
  hasAsked(endpoint: Endpoint): boolean {
    return this.#askedAt.has(formatAddress(endpoint));
  }

  /** Whether the newest answer of an endpoint is too old to rely on it for a client that connects now. */
  isStale(endpoint: Endpoint): boolean {
    const { staleAt = -Infinity } = this.#answers.get(formatAddress(endpoint)) ?? {};
    return this.#options.clock.now() >= staleAt;
  }

  /** Asks an endpoint, in its turn. Resolves with the id if it has told one; never rejects. */
  ask(endpoint: Endpoint): Promise<string | undefined> {
    const address = formatAddress(endpoint);
    const before = this.#asking.get(address);
    if (before) return before;
    this.#askedAt.set(address, this.#options.clock.now());
    const asked = this.#limited(async () => {
      // Its turn may come much later.
      const current = this.#endpoints.get(address);
      if (!current || this.#isClosed) return undefined;
      const abort = new AbortController();
      this.#aborts.add(abort);
      const clusterId = await this.askNow(current, abort.signal);
      this.#aborts.delete(abort);
      return clusterId;
    }).then(clusterId => {
      this.#asking.delete(address);
      this.#options.onAnswer();
      return clusterId;
    });
    this.#asking.set(address, asked);
    return asked;
  }

  /** Asks at once, whatever else is under way. Resolves with the id if it has told one; never rejects. */
  async askNow(endpoint: Endpoint, signal: AbortSignal): Promise<string | undefined> {
    const { ask, decision, clock } = this.#options;
    this.#askedAt.set(formatAddress(endpoint), clock.now());
    try {
      const clusterId = await ask(endpoint, signal);
      if (signal.aborted) return undefined;
      this.#keep(endpoint, clusterId);
      if (clusterId === undefined) decision.unable(endpoint);
      else decision.told(endpoint, clusterId);
      return clusterId;
    } catch (error) {
      // An error of this machine's own says nothing about the endpoint.
      if (!signal.aborted && !GatewayError.from(error, "ask").isLocal) decision.silent(endpoint);
      return undefined;
    }
  }

  /** Asks an endpoint soon: at once, or two seconds after the last question. */
  askSoon(endpoint: Endpoint): void {
    const address = formatAddress(endpoint);
    const { clock } = this.#options;
    const waitMs = (this.#askedAt.get(address) ?? -Infinity) + suspectMs - clock.now();
    if (this.#isClosed || !this.#endpoints.has(address) || this.#suspected.has(address)) return;
    if (waitMs <= 0) void this.ask(endpoint);
    else {
      const cancel = clock.after(waitMs, () => {
        this.#suspected.delete(address);
        void this.ask(endpoint);
      });
      this.#suspected.set(address, cancel);
    }
  }

  #keep(endpoint: Endpoint, clusterId: string | undefined): void {
    const address = formatAddress(endpoint);
    // It may have left the set meanwhile.
    if (!this.#endpoints.has(address)) return;
    const before = this.#answers.get(address);
    const isSame = before !== undefined && before.clusterId === clusterId;
    const validMs = isSame ? Math.min(before.validMs * 4, staleMs) : firstStaleMs;
    this.#answers.set(address, { clusterId, validMs, staleAt: this.#options.clock.now() + validMs });
  }

  /** Aborts what is under way, and asks no more. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#suspected.values()) cancel();
    for (const abort of this.#aborts) abort.abort(new GatewayError("aborted", "the gateway stops"));
  }
}
