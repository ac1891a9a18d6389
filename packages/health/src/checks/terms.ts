import type { EndpointFacts } from "@gw/interface";

/** For how long a report of a term counts, in milliseconds: an endpoint without clients is asked every ten minutes. */
const termMs = 600_000;
/** Of how many clusters the term is known. */
const maxClusters = 8;

interface NewestTerm {
  readonly term: number;
  /** When a member first named its leader, and when one last did. */
  readonly namedAt: number;
  readonly confirmedAt: number;
}

/** How a report came about. */
interface TermReport {
  /** When the check began that has asked for it, and when the answer came, in milliseconds. */
  readonly startedAt: number;
  readonly now: number;
  /** Whether the whole cluster has agreed on a read meanwhile. */
  readonly isAgreed: boolean;
}

/**
 * The newest raft term of each cluster in which a member has named a leader. A leader that has lost its majority, and cannot
 * notice it because its disk hangs, goes on to name itself in an older term. Terms without a leader prove nothing: a member
 * of etcd 3.4 that is cut off counts them up by itself. A member with which the others agree is in the newest term, even if
 * that is lower than before: a cluster that was restored from a snapshot may have the same id, and begins to count again.
 */
export class LeaderTerms {
  /** By cluster; the one that was reported last is the last. */
  readonly #newest = new Map<string, NewestTerm>();

  /**
   * Adds what an endpoint has told.
   *
   * @returns whether it is outdated: a leader of a newer term had been named before it was asked for
   */
  learn(
    { clusterId = "", leaderId, raftTerm: term }: EndpointFacts,
    { startedAt, now, isAgreed }: TermReport,
  ): boolean {
    if (term === undefined || Number.isNaN(term)) return false;
    const known = this.#newest.get(clusterId);
    const isKnown = known !== undefined && now - known.confirmedAt < termMs;
    if (isKnown && term < known.term && !isAgreed) return known.namedAt < startedAt;
    if (leaderId === undefined) return false;
    const isSame = isKnown && term === known.term;
    this.#newest.delete(clusterId);
    this.#newest.set(clusterId, { term, namedAt: isSame ? known.namedAt : now, confirmedAt: now });
    const [oldest = ""] = this.#newest.keys();
    if (this.#newest.size > maxClusters) this.#newest.delete(oldest);
    return false;
  }
}
