import {
  type Clock,
  formatAddress,
  type GatewayError,
  type Observer,
  systemClock,
  type Verdict,
} from "@gw/interface";
import {
  type PoolDecision,
  type PoolInput,
  type PoolRecord,
  type PoolSnapshot,
  type RecordedOptions,
  type RecordItem,
  recordedError,
  recordedVerdict,
} from "./record.js";

/** Records what decisions of a pool depend on; given to `createPool` as `recording`. */
export interface PoolRecording {
  /** Random delays follow from it. */
  readonly seed: number;
  /** The clock that the pool is to use: it stands still while the pool works out what follows from an input. */
  steady(clock: Clock): Clock;
  /** The pool has begun. `snapshot` returns its state. */
  begin(options: RecordedOptions, snapshot: () => PoolSnapshot): void;
  /** Something happens now that may be an input: the clock stands still from here on. */
  hold(): void;
  /** The pool is given something, and nothing has followed from it yet. */
  input(input: PoolInput): void;
  /** Gets the decisions of the pool. */
  readonly observer: Observer;
  /** What was recorded; undefined before a pool has begun. */
  record(): PoolRecord | undefined;
}

/** Bounds of a recording, for each of its two segments: the older one is dropped when the newer one is full. */
const recordingLimits = { items: 5_000, characters: 2_000_000 } as const;

interface Segment {
  readonly fromMs: number;
  readonly start: PoolSnapshot;
  readonly items: RecordItem[];
  characters: number;
}

/** What an item takes at most as JSON besides its texts, in characters. */
const itemCharacters = 200;
/** The same of an endpoint in a set or a snapshot. */
const endpointCharacters = 150;

/**
 * @param options.wallMs the time of day, in milliseconds since 1970
 * @param options.limits see {@link recordingLimits}
 */
export function recordDecisions(
  options: {
    readonly wallMs?: (() => number) | undefined;
    readonly seed?: number | undefined;
    readonly limits?: { readonly items: number; readonly characters: number } | undefined;
  } = {},
): PoolRecording {
  return new BoundedRecording(options);
}

class BoundedRecording implements PoolRecording {
  readonly seed: number;
  readonly #wallMs: () => number;
  readonly #limits: { readonly items: number; readonly characters: number };
  #clock: Clock = systemClock;
  /** Where the clock stands still. */
  #heldMs: number | undefined;
  #options: RecordedOptions | undefined;
  #snapshot: () => PoolSnapshot = () => ({ entries: [], draining: [] });
  #older: Segment | undefined;
  #newer: Segment | undefined;
  /** The newest report on each endpoint, until something else is recorded of it: the same one again changes nothing. */
  readonly #reports = new Map<string, string>();

  constructor({
    wallMs = Date.now,
    seed,
    limits = recordingLimits,
  }: Parameters<typeof recordDecisions>[0] & {}) {
    this.#wallMs = wallMs;
    this.#limits = limits;
    this.seed = seed ?? Math.floor(Math.random() * 2 ** 32);
  }

  steady(clock: Clock): Clock {
    this.#clock = {
      now: () => this.#heldMs ?? clock.now(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
    };
    return this.#clock;
  }

  begin(options: RecordedOptions, snapshot: () => PoolSnapshot): void {
    const { retryDelayMs, maxRetryDelayMs, panicThreshold } = options;
    this.#options = { retryDelayMs, maxRetryDelayMs, panicThreshold };
    this.#snapshot = snapshot;
    this.#older = undefined;
    this.#newer = this.#segment();
  }

  hold(): void {
    if (this.#heldMs !== undefined) return;
    this.#heldMs = this.#clock.now();
    // What follows from an input follows before other code runs.
    queueMicrotask(() => {
      this.#heldMs = undefined;
      this.#rotate();
    });
  }

  input(input: PoolInput): void {
    this.hold();
    if (input.do === "set") this.#reports.clear();
    else if (input.do === "report") {
      const key = JSON.stringify([input.verdict, input.anotherIsHealthy]);
      if (this.#reports.get(input.endpoint) === key) return;
      this.#reports.set(input.endpoint, key);
    } else this.#reports.delete(input.endpoint);
    this.#add(input);
  }

  readonly observer: Observer = {
    endpointDown: ({ endpoint, error, retryInMs }) =>
      this.#decided({
        event: "endpoint down",
        endpoint: formatAddress(endpoint),
        ...reasonOf(error),
        retryInMs,
      }),
    endpointStillDown: ({ endpoint, error, retryInMs }) =>
      this.#decided({
        event: "endpoint still down",
        endpoint: formatAddress(endpoint),
        ...reasonOf(error),
        retryInMs,
      }),
    endpointUp: ({ endpoint }) => this.#decided({ event: "endpoint up", endpoint: formatAddress(endpoint) }),
    failover: ({ from, to, why }) =>
      this.#decided({
        event: "failover",
        endpoint: formatAddress(to),
        from: formatAddress(from),
        reason: recordedError({ code: "unknown", detail: why }).detail,
      }),
    panic: ({ cause, error }) =>
      this.#decided({ event: "panic", reason: `${cause}: ${recordedError(error).detail}` }),
    panicOver: () => this.#decided({ event: "panic over" }),
  };

  record(): PoolRecord | undefined {
    const first = this.#older ?? this.#newer;
    if (!first || !this.#newer || !this.#options) return undefined;
    const now = this.#clock.now();
    return {
      schema: 1,
      wallMs: this.#wallMs(),
      clockMs: now,
      fromMs: first.fromMs,
      untilMs: now,
      seed: this.seed,
      options: this.#options,
      start: first.start,
      items: [...(this.#older?.items ?? []), ...this.#newer.items],
    };
  }

  #decided(decision: Omit<PoolDecision, "do">): void {
    this.#add({ do: "decided", ...decision });
  }

  #add(item: PoolInput | PoolDecision): void {
    const segment = this.#newer;
    if (!segment) return;
    segment.items.push({ atMs: this.#clock.now(), ...item });
    segment.characters +=
      item.do === "set" ? item.endpoints.length * endpointCharacters : itemCharacters + maxTexts;
  }

  #rotate(): void {
    const segment = this.#newer;
    const { items, characters } = this.#limits;
    if (!segment || (segment.items.length < items && segment.characters < characters)) return;
    this.#older = segment;
    this.#newer = this.#segment();
    // The state before is one in which the reports had been made.
  }

  #segment(): Segment {
    const start = this.#snapshot();
    const characters = (start.entries.length + start.draining.length) * endpointCharacters;
    // A set that fills a segment by itself must not begin a new one each time.
    return {
      fromMs: this.#clock.now(),
      start,
      items: [],
      characters: Math.min(characters, this.#limits.characters / 2),
    };
  }
}

/** Of the names and the error of an item, in characters. */
const maxTexts = 300;

function reasonOf(error: GatewayError): { readonly reason: string } {
  return { reason: recordedError(error).detail };
}

/** An input: a verdict was reported. */
export function reportOf(endpoint: string, verdict: Verdict, anotherIsHealthy: boolean): PoolInput {
  return { do: "report", endpoint, verdict: recordedVerdict(verdict), anotherIsHealthy };
}
