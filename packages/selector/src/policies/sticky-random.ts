import { type Candidate, GatewayError, type Selector } from "@gw/interface";
import { always, type CandidateView, viewing } from "./candidate-view.js";
import { Current } from "./current.js";
import type { RandomOptions } from "./random.js";
import { pickByWeight } from "./weighted-random.js";

/** Options of {@link stickyRandom}. */
export interface StickyRandomOptions extends RandomOptions {
  /**
   * The first pick is home. Once home has been up for this long, in milliseconds, up to half of it longer at random,
   * connections return to it: new ones at once, open ones at the rate of the pool's `rebalance`, or at
   * {@link failbackRate} if that is 0. More than 0. @default never
   */
  readonly failbackMs?: number | undefined;
}

/** The part of all connections that may return home in a minute. */
export const failbackRate = 0.1;

/**
 * The policy of etcd's documentation: one endpoint, picked at random, takes all connections until it fails;
 * then another, at random, takes them. Where endpoints have SRV weights, they are the chances (RFC 2782). A recovered
 * endpoint becomes a standby, unless it is home, see {@link StickyRandomOptions.failbackMs}.
 *
 * Use it when endpoints are equal and one of them can carry all connections of this machine: with a gateway on each
 * machine, the load of all machines is spread anyway. For many gateways use `failbackMs`: without it, the endpoint that
 * was restarted last carries nothing until another one fails.
 *
 * @throws {GatewayError} `invalid-option` if `failbackMs` is out of its range
 */
export function stickyRandom({ random = Math.random, failbackMs }: StickyRandomOptions = {}): Selector {
  const current = new Current();
  if (failbackMs === undefined)
    return viewing(candidates => current.in(candidates) ?? current.use(pickByWeight(candidates, random)), {
      picksAhead: always,
    });
  if (!(failbackMs > 0 && failbackMs < Infinity))
    throw new GatewayError("invalid-option", `failbackMs ${failbackMs} is not more than 0`);

  const home = new Current();
  /** Drawn whenever home is left, so that not all gateways return at once. */
  let delayMs = failbackMs;
  let isAway = false;

  /** Home, if connections may be there. */
  const returned = (candidates: CandidateView): Candidate | undefined => {
    const candidate = home.in(candidates);
    return candidate && (!isAway || (candidate.upMs ?? 0) >= delayMs) ? candidate : undefined;
  };

  const pick = (candidates: CandidateView): Candidate | undefined => {
    const here = returned(candidates);
    if (here) {
      isAway = false;
      return current.use(here);
    }
    const picked = current.in(candidates) ?? current.use(pickByWeight(candidates, random));
    if (!picked) return undefined;
    const { endpoint } = home;
    if (!endpoint || (candidates.hasLeft(endpoint) && !home.in(candidates))) {
      home.use(picked);
      isAway = false;
    } else if (!isAway) {
      isAway = true;
      delayMs = failbackMs * (1 + random() / 2);
    }
    return picked;
  };
  // Away from home, a pick depends on the time.
  return viewing(pick, { target: returned, targetRate: failbackRate, picksAhead: () => !isAway });
}
