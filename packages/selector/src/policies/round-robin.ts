import { type Endpoint, type Selector, sameEndpoint } from "@gw/interface";
import { viewing } from "./candidate-view.js";
import type { RandomOptions } from "./random.js";

/**
 * Endpoints take connections in turn, in the order given. Where it begins is left to chance, so that many gateways do
 * not begin with the same one.
 *
 * Use it when connections are alike and the endpoints equals. Long and short connections, or endpoints that were away,
 * leave it uneven; `leastConnections` evens that out. It takes no heed of weights; `weightedRoundRobin` does.
 */
export function roundRobin({ random = Math.random }: RandomOptions = {}): Selector {
  let last: Endpoint | undefined;
  /** Where the last one stood: most likely it is there still, and else its successor is. */
  let position = -1;
  return viewing(candidates => {
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
  });
}
