import { type Endpoint, type Selector, sameEndpoint } from "@gw/interface";
import { viewing } from "./candidate-view.js";
import type { RandomOptions } from "./random.js";
import { pickByWeight } from "./weighted-random.js";

/**
 * The policy of etcd's documentation: one endpoint, picked at random, takes all connections until it fails;
 * then another, at random, takes them. Where endpoints have SRV weights, they are the chances (RFC 2782). A recovered
 * endpoint becomes a standby.
 *
 * Use it when endpoints are equal and one of them can carry all connections of this machine: with a gateway on each
 * machine, the load of all machines is spread anyway.
 */
export function stickyRandom({ random = Math.random }: RandomOptions = {}): Selector {
  let current: Endpoint | undefined;
  /** Its index at the last pick: most likely it is still there, however many there are. */
  let position = 0;
  return viewing(candidates => {
    const remembered = current;
    if (remembered) {
      const here = candidates.at(position);
      if (here && sameEndpoint(here.endpoint, remembered)) return here;
      position = candidates.indexOf(remembered);
      if (position >= 0) return candidates.at(position);
    }
    const picked = pickByWeight(candidates, random);
    if (picked) {
      current = picked.endpoint;
      position = candidates.indexOf(picked.endpoint);
    }
    return picked;
  });
}
