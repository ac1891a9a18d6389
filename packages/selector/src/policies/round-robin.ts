import { type Candidate, type Endpoint, type Selector, sameEndpoint } from "@gw/interface";
import { always, type CandidateView, viewing } from "./candidate-view.js";
import type { RandomOptions } from "./random.js";

/**
 * Endpoints take connections in turn, in the order given. The first one is random, so that many gateways do not
 * start with the same.
 *
 * Use it when connections are similar and the endpoints equal. Long and short connections, or endpoints that were down,
 * make it uneven; `leastConnections` corrects that. It ignores weights; `weightedRoundRobin` does.
 */
export function roundRobin({ random = Math.random }: RandomOptions = {}): Selector {
  let last: Endpoint | undefined;
  /** The index of the last pick: most likely it is still there, or its successor is. */
  let position = -1;
  const pick = (candidates: CandidateView): Candidate | undefined => {
    const { length } = candidates;
    if (length === 0) return undefined;
    const previous = last;
    const here = candidates.at(position);
    if (previous === undefined) position = Math.floor(random() * length);
    else if (here && sameEndpoint(here.endpoint, previous)) position += 1;
    else {
      const found = candidates.indexOf(previous);
      if (found >= 0) position = found + 1;
    }
    position %= length;
    const picked = candidates.at(position);
    last = picked?.endpoint;
    return picked;
  };
  return viewing(pick, { picksAhead: always });
}
