import type { Clock, EndpointFacts } from "@gw/interface";

/**
 * For how long a leader is the leader after the newest report that names it, in milliseconds. An endpoint in use is asked
 * every two minutes at least, also without connections.
 */
const leaderMs = 300_000;
/**
 * For how long there is no leader after the newest report of a newer term without one, in milliseconds. An election takes
 * a few seconds; a member that is cut off counts terms up by itself (etcd 3.4), while the others keep their leader.
 */
const leaderlessMs = 15_000;
/** Of how many clusters the leader is known. */
const maxClusters = 8;

/** The report of the newest term. */
interface Newest {
  readonly term: number;
  readonly leaderId: string | undefined;
  /** When it was last confirmed. */
  readonly at: number;
}

/**
 * Which member leads each cluster, by the reports of all endpoints: a term has one leader at most, so the newest term
 * decides, and a member that lags behind changes nothing. Which member an endpoint is stays true for longer than who leads,
 * so each endpoint's own report counts for the one, and any endpoint's for the other.
 */
export class Leadership {
  readonly #clock: Clock;
  /** By cluster; the one that was reported last is the last. */
  readonly #newest = new Map<string, Newest>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  learn({ clusterId = "", leaderId, raftTerm: term }: EndpointFacts): void {
    if (term === undefined || Number.isNaN(term)) return;
    const known = this.#trusted(clusterId);
    const isNewer = !known || term > known.term || (term === known.term && leaderId !== undefined);
    if (!isNewer) return;
    this.#newest.delete(clusterId);
    this.#newest.set(clusterId, { term, leaderId, at: this.#clock.now() });
    const [oldest = ""] = this.#newest.keys();
    if (this.#newest.size > maxClusters) this.#newest.delete(oldest);
  }

  /** The id of the leader; undefined if it is unknown, or there is none. */
  leaderOf(clusterId = ""): string | undefined {
    return this.#trusted(clusterId)?.leaderId;
  }

  /** What was reported lately enough to be true. */
  #trusted(clusterId: string): Newest | undefined {
    const known = this.#newest.get(clusterId);
    if (!known) return undefined;
    const mostMs = known.leaderId === undefined ? leaderlessMs : leaderMs;
    return this.#clock.now() - known.at < mostMs ? known : undefined;
  }
}
