import type { Candidate, Selector } from "@gw/interface";
import type { RandomOptions } from "./random.js";

/**
 * Each connection goes to the endpoint that has the fewest connections of this gateway for its SRV weight; among
 * several of them, to one at random, so that many gateways do not all choose the same. If all weights are 0, all are
 * equal; otherwise an endpoint of weight 0 gets nothing.
 *
 * Use it when connections are long, as those of etcd's clients are, and should be spread evenly also after an endpoint
 * was down. A recovered endpoint gets all new connections until it has as many as the others.
 */
export function leastConnections({ random = Math.random }: RandomOptions = {}): Selector {
  return {
    pick(candidates) {
      let best: Candidate | undefined;
      let alike = 0;
      for (const candidate of candidates) {
        const difference = best ? compareLoad(candidate, best) : -1;
        alike = difference < 0 ? 1 : alike + (difference === 0 ? 1 : 0);
        // Of equals the second replaces the first one time in two, the third one time in three.
        if (difference < 0 || (difference === 0 && random() * alike < 1)) best = candidate;
      }
      return best;
    },
  };
}

/**
 * Compares the connections of two candidates for their SRV weights, the new connection included: negative if the first
 * has less, 0 if they are equal. A weight of 0 comes after any other; two of them count as equal weights.
 */
export function compareLoad(one: Candidate, other: Candidate): number {
  const [weight, otherWeight] = [one.endpoint.weight, other.endpoint.weight];
  if (weight === 0 && otherWeight === 0) return one.connections - other.connections;
  if (weight === 0 || otherWeight === 0) return otherWeight - weight;
  return (one.connections + 1) * otherWeight - (other.connections + 1) * weight;
}
