import type { Candidate } from "@gw/interface";

/**
 * Which of two candidates carries less for its SRV weight, the connection that is to be made included: negative for the
 * first one, 0 if they are alike. A weight of 0 carries nothing beside one that is more; two of them are alike.
 */
export function compareLoad(one: Candidate, other: Candidate): number {
  const [weight, otherWeight] = [one.endpoint.weight, other.endpoint.weight];
  if (weight === 0 && otherWeight === 0) return one.connections - other.connections;
  if (weight === 0 || otherWeight === 0) return otherWeight - weight;
  return (one.connections + 1) * otherWeight - (other.connections + 1) * weight;
}
