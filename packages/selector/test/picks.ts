import type { Candidate, Selector } from "@gw/interface";
import { endpoint } from "./support.js";

/** New candidates for the hosts a, b, c, … with these weights. */
export function weighing(...weights: readonly number[]): Candidate[] {
  return weights.map((weight, index) => ({
    endpoint: endpoint(String.fromCharCode(97 + index), { weight }),
    connections: 0,
  }));
}

/** `count` new candidates a, b, c, … of weight 0, except some. */
export function candidates(count: number, ...without: readonly (string | undefined)[]): Candidate[] {
  return weighing(...Array.from({ length: count }, () => 0)).filter(
    ({ endpoint }) => !without.includes(endpoint.host),
  );
}

/** The hosts that `selector` picks of `from`, one after the other. */
export function picks(selector: Selector, from: readonly Candidate[], count: number): readonly string[] {
  return Array.from({ length: count }, () => selector.pick(from)?.endpoint.host ?? "none");
}

/** Picks `count` times, each time with a connection more on what was picked; how many each has in the end. */
export function fill(
  selector: Selector,
  from: readonly Candidate[],
  count: number,
): { readonly [host: string]: number } {
  const open = from.map(({ endpoint, connections }) => ({ endpoint, connections }));
  for (let pick = 0; pick < count; pick++) {
    const picked = selector.pick(open);
    for (const one of open) if (one === picked) one.connections += 1;
  }
  return Object.fromEntries(open.map(one => [one.endpoint.host, one.connections]));
}

export function counted(hosts: readonly (string | undefined)[]): ReadonlyMap<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const host of hosts) counts.set(host, (counts.get(host) ?? 0) + 1);
  return counts;
}

/**
 * How far counts are from what is expected: χ². It exceeds 18.5 once in 1000 times for 4 degrees of freedom (5 counts),
 * and 13.8 for 2.
 */
export function chiSquare(
  counts: readonly number[],
  shares: readonly number[] = counts.map(() => 1),
): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const all = shares.reduce((sum, share) => sum + share, 0);
  return counts.reduce((sum, count, index) => {
    const expected = (total * (shares[index] ?? 0)) / all;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/** A candidate of which everything can be changed. */
export type ChangingCandidate = { -readonly [Key in keyof Candidate]: Candidate[Key] };

/** The same as {@link candidates}, to be changed by the test. */
export function changingCandidates(count: number): ChangingCandidate[] {
  return candidates(count);
}
