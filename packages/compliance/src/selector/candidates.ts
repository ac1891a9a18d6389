import type { Candidate, Endpoint } from "@gw/interface";

/** The `index`th of up to 65,536 endpoints that differ in their hosts. */
export function endpointAt(index: number, rest: Partial<Endpoint> = {}): Endpoint {
  return { host: `10.0.${index >> 8}.${index & 255}`, port: 2379, priority: 0, weight: 0, ...rest };
}

/** `count` endpoints, weights all different. */
export function endpoints(count: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => endpointAt(index, { weight: (index * 7) % 65_536 }));
}

/** A new candidate: an unfrozen object with an unfrozen endpoint. */
export function candidate(endpoint: Endpoint, connections = 0): Candidate {
  return { endpoint: { ...endpoint }, connections };
}

/** New candidates for `given`. */
export function candidates(given: readonly Endpoint[]): Candidate[] {
  return given.map((endpoint, index) => candidate(endpoint, index % 3));
}

/** A candidate as the pool of gw makes it: frozen, with a `connections` that is read each time. */
export function liveCandidate(endpoint: Endpoint, connections: () => number = () => 0): Candidate {
  const own = Object.freeze({ ...endpoint });
  return Object.freeze({
    endpoint: own,
    get connections() {
      return connections();
    },
  });
}

/** What may be known of a candidate beside its connections. */
export type Facts = Omit<Candidate, "endpoint" | "connections">;

/** New candidates for `given`, with facts by their index. */
export function knownCandidates(given: readonly Endpoint[], factsOf: (index: number) => Facts): Candidate[] {
  return given.map((endpoint, index) => ({ ...candidate(endpoint, index % 3), ...factsOf(index) }));
}

/** Typical sets of endpoints, and those at the limits of what is allowed. Each has one priority. */
export const notableSets: { readonly [name: string]: readonly Endpoint[] } = {
  "one endpoint": endpoints(1),
  "two endpoints": endpoints(2),
  "nine endpoints": endpoints(9),
  "one host with many ports": [1, 80, 2379, 2380, 65_535].map(port => endpointAt(0, { port })),
  "IPv6 and host names": ["::1", "fe80::1%eth0", "2001:db8::2", "localhost", "etcd-0.example.com."].map(
    host => endpointAt(0, { host }),
  ),
  "the highest priority": endpoints(3).map(one => ({ ...one, priority: 65_535 })),
  "all weights 0": endpoints(4).map(one => ({ ...one, weight: 0 })),
  "all weights 65535": endpoints(4).map(one => ({ ...one, weight: 65_535 })),
  "weights 0 and 65535": endpoints(4).map((one, index) => ({ ...one, weight: index % 2 ? 65_535 : 0 })),
  "secure and not": [true, false].map((secure, index) => endpointAt(index, { secure })),
};
