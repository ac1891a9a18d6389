import type { EndpointView } from "@gw/admin";
import type { Rates } from "./rates.js";

/** What the table is sorted by. */
export type SortColumn =
  | "order"
  | "endpoint"
  | "state"
  | "connections"
  | "waiting"
  | "throughput"
  | "latency";

/** The order of the table. */
export interface Sorting {
  readonly column: SortColumn;
  readonly reversed: boolean;
}

/** The key for each. */
export const sortKeys: { readonly [key: string]: SortColumn } = {
  o: "order",
  e: "endpoint",
  s: "state",
  c: "connections",
  w: "waiting",
  t: "throughput",
  l: "latency",
};

/** Those that need attention first. */
const states = ["down", "held", "foreign", "draining", "up"];

type Compare = (one: EndpointView, other: EndpointView) => number;

/** The endpoints in this order; those that are equal keep the order of the gateway. */
export function sorted(
  endpoints: readonly EndpointView[],
  { column, reversed }: Sorting,
  rates: Rates | undefined,
): readonly EndpointView[] {
  const throughput = ({ endpoint }: EndpointView): number => {
    const one = rates?.endpoints.get(endpoint);
    return one ? one.fromClients + one.toClients : 0;
  };
  const orders: { readonly [column in SortColumn]: Compare } = {
    order: () => 0,
    endpoint: (one, other) => byText(one.endpoint, other.endpoint),
    state: (one, other) => states.indexOf(one.state) - states.indexOf(other.state),
    connections: (one, other) => other.connections - one.connections,
    waiting: (one, other) => other.waiting - one.waiting || other.longestWaitMs - one.longestWaitMs,
    throughput: (one, other) => throughput(other) - throughput(one),
    latency: (one, other) => latencyOf(other) - latencyOf(one),
  };
  const list = [...endpoints].sort(orders[column]);
  return reversed ? list.reverse() : list;
}

/** The round trip that an endpoint's status check measured, or the duration of its newest check; -1 where neither is known. */
export function latencyOf({ facts, check }: EndpointView): number {
  return facts?.roundTripMs ?? check?.tookMs ?? -1;
}

/** Numbers in names by their value: `10.0.0.9` before `10.0.0.10`. */
const collator = new Intl.Collator("en", { numeric: true });
const byText = (one: string, other: string): number => collator.compare(one, other);
