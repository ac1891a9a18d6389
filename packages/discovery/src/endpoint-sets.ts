import { type Endpoint, formatAddress } from "@gw/interface";

/** The endpoints of all sets, each once; the first mention of an endpoint counts. */
export function union(sets: readonly (readonly Endpoint[])[]): readonly Endpoint[] {
  const all = new Map<string, Endpoint>();
  for (const endpoint of sets.flat())
    if (!all.has(formatAddress(endpoint))) all.set(formatAddress(endpoint), endpoint);
  return Object.freeze([...all.values()]);
}

/** The endpoints that `others` does not have, by host and port. */
export function without(endpoints: readonly Endpoint[], others: readonly Endpoint[]): readonly Endpoint[] {
  const known = new Set(others.map(formatAddress));
  return endpoints.filter(endpoint => !known.has(formatAddress(endpoint)));
}

/** Whether two sets are equal in all properties, in any order. */
export function sameSet(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  const records = new Set(b.map(record));
  return a.length === b.length && a.every(endpoint => records.has(record(endpoint)));
}

/** Those of `now` that `before` has with another priority, weight or `secure`. */
export function changed(before: readonly Endpoint[], now: readonly Endpoint[]): readonly Endpoint[] {
  const records = new Map(before.map(endpoint => [formatAddress(endpoint), record(endpoint)]));
  return now.filter(
    endpoint => (records.get(formatAddress(endpoint)) ?? record(endpoint)) !== record(endpoint),
  );
}

function record(endpoint: Endpoint): string {
  return `${formatAddress(endpoint)} ${endpoint.priority} ${endpoint.weight} ${endpoint.secure}`;
}
