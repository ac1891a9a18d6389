import type { EndpointFacts } from "@gw/interface";

/** The least part of a new round trip in the smoothed one (RFC 6298 has 1/8; checks are rarer than segments). */
const leastPart = 0.25;
/** After this time, in milliseconds, the smoothed round trip is worth half: checks may be minutes apart. */
const halfLifeMs = 60_000;

/** What one endpoint says of itself, as its checks have found out one after the other. */
export class KnownFacts {
  #newest: EndpointFacts | undefined;
  #latencyMs: number | undefined;
  #measuredAt = 0;

  /** The newest of each fact; undefined before the first. */
  get newest(): EndpointFacts | undefined {
    return this.#newest;
  }

  /** The smoothed round trip, in milliseconds. */
  get latencyMs(): number | undefined {
    return this.#latencyMs;
  }

  /** Adds facts that were found out `now`. Another member at the same address is not the one that was measured. */
  learn(facts: EndpointFacts, now: number): void {
    const before = this.#newest;
    const isAnother = facts.memberId !== undefined && before?.memberId !== facts.memberId;
    if (isAnother) this.#latencyMs = undefined;
    this.#newest = isAnother ? facts : { ...before, ...facts, ...leaderOf(facts) };
    this.#measure(facts.roundTripMs, now);
  }

  #measure(ms: number | undefined, now: number): void {
    if (ms === undefined) return;
    const before = this.#latencyMs;
    const part = Math.max(leastPart, 1 - 0.5 ** ((now - this.#measuredAt) / halfLifeMs));
    this.#latencyMs = before === undefined ? ms : before + (ms - before) * part;
    this.#measuredAt = now;
  }
}

/** A report with a term and without a leader shows that there is none. */
function leaderOf({ raftTerm, leaderId }: EndpointFacts): Pick<EndpointFacts, "leaderId"> | undefined {
  return raftTerm === undefined ? undefined : { leaderId };
}
