import {
  type Candidate,
  type Clock,
  type Endpoint,
  GatewayError,
  type Selector,
  sameEndpoint,
  systemClock,
} from "@gw/interface";
import { type CandidateView, itemsOf, viewing, viewOf } from "./candidate-view.js";
import { Current } from "./current.js";
import type { RandomOptions } from "./random.js";
import { pickByWeight } from "./weighted-random.js";

/** Options of {@link leader}. */
export interface LeaderOptions extends RandomOptions {
  /**
   * For how long a new leader must have been the leader before connections leave an endpoint that serves for it, in
   * milliseconds; 0 or more. @default 5000
   */
  readonly settleMs?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Defaults of {@link LeaderOptions}. */
export const leaderDefaults = { settleMs: 5_000 } as const;

/** If no leader was seen for this long, the next one need not be confirmed: it does not flap. In milliseconds. */
const longMs = 60_000;

/**
 * All connections go to the leader of the etcd cluster, which saves each write and each linearizable read a hop. After an
 * election new connections follow when the new leader has been the same for `settleMs`, and open ones at the rate of the
 * pool's `rebalance`. While no leader is known, or it is no candidate, this is `stickyRandom`.
 *
 * Use it for clients that write much. The leader then has the connections of all gateways with this policy.
 *
 * @throws {GatewayError} `invalid-option` if `settleMs` is out of its range
 */
export function leader(options: LeaderOptions = {}): Selector {
  const { random = Math.random, settleMs = leaderDefaults.settleMs, clock = systemClock } = options;
  if (!(settleMs >= 0 && settleMs < Infinity))
    throw new GatewayError("invalid-option", `settleMs ${settleMs} is not 0 or more`);
  const current = new Current();
  /** A leader that is not in use yet, and since when it has been seen as leader. */
  let elected: { readonly endpoint: Endpoint; readonly since: number } | undefined;
  /** When a leader was last seen. */
  let seenAt = -Infinity;

  /** Chooses among the endpoints of the leader, if it has several: always the same one, and not the same everywhere. */
  const chance = random();
  const leaderAmong = (candidates: CandidateView): Candidate | undefined => {
    const leaders = itemsOf(candidates).filter(({ isLeader }) => isLeader);
    return pickByWeight(viewOf(leaders), () => chance);
  };

  const isConfirmed = ({ endpoint }: Candidate, now: number): boolean => {
    if (!elected || !sameEndpoint(elected.endpoint, endpoint)) elected = { endpoint, since: now };
    return now - elected.since >= settleMs || now - seenAt >= Math.max(longMs, settleMs);
  };

  /** The candidate in use, which is another one than before if a new leader is confirmed. */
  const settled = (candidates: CandidateView): Candidate | undefined => {
    const here = current.in(candidates);
    const found = here?.isLeader ? here : leaderAmong(candidates);
    if (!found) {
      if (itemsOf(candidates).every(({ isLeader }) => isLeader === undefined)) elected = undefined;
      return here;
    }
    const now = clock.now();
    const isNow = found === here || isConfirmed(found, now);
    seenAt = now;
    if (!isNow) return here;
    elected = undefined;
    return current.use(found);
  };

  return viewing(
    // Connections that have to go elsewhere anyway go to the new leader at once.
    candidates =>
      settled(candidates) ?? current.use(leaderAmong(candidates) ?? pickByWeight(candidates, random)),
    {
      target: candidates => {
        const here = settled(candidates);
        return here?.isLeader ? here : undefined;
      },
    },
  );
}
