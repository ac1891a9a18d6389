import type { Clock } from "@gw/interface";

/** What is counted in each second. */
const counted = [
  /** Local checks, on a connection that was open, and on one of their own. */
  "status",
  "statusConnect",
  /** Linearizable checks, the same. */
  "deep",
  "deepConnect",
  /** Connections of clients that were established at a member. */
  "connected",
  /** Connections that gateways closed although nothing was wrong with their member. */
  "moved",
  /** Connections that ended because their member was stopped, hung or cut off. */
  "lost",
  /** Clients for which a gateway found no endpoint. */
  "unserved",
  /** Queries to the name server. */
  "dns",
] as const;

export type Counted = (typeof counted)[number];

/** Counts what happens, by the second, and samples how connections are spread. */
export class Recorder {
  readonly #clock: Clock;
  readonly #counts: { readonly [Name in Counted]: Float64Array };
  readonly #outages: Outage[] = [];
  readonly #samples: Sample[] = [];

  /** @param seconds how long the simulation takes at most */
  constructor(clock: Clock, seconds: number) {
    this.#clock = clock;
    const series = counted.map(name => [name, new Float64Array(seconds + 1)]);
    this.#counts = Object.fromEntries(series) as { [Name in Counted]: Float64Array };
  }

  count(what: Counted, times = 1): void {
    const counts = this.#counts[what];
    const second = Math.floor(this.#clock.now() / 1_000);
    counts[second] = (counts[second] ?? 0) + times;
  }

  /** A client was not served for `ms`, and is again. */
  outage(ms: number): void {
    this.#outages.push({ atMs: this.#clock.now(), ms });
  }

  sample(connections: Readonly<Record<string, number>>): void {
    this.#samples.push({ atMs: this.#clock.now(), connections });
  }

  /** Per second, from `fromMs` until before `untilMs`. */
  perSecond(what: Counted, fromMs: number, untilMs: number): readonly number[] {
    return [...this.#counts[what].subarray(Math.floor(fromMs / 1_000), Math.floor(untilMs / 1_000))];
  }

  /** Each outage of a client that is over. */
  get outages(): readonly Outage[] {
    return this.#outages;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }
}

/** A client was not served for `ms` milliseconds, until `atMs`. */
export interface Outage {
  readonly atMs: number;
  readonly ms: number;
}

/** How connections are spread at one time. */
export interface Sample {
  readonly atMs: number;
  /** By member. */
  readonly connections: Readonly<Record<string, number>>;
}
