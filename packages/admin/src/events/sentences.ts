import { type Address, formatAddress } from "@gw/interface";

/** How many endpoints an event names at most; of more it has the first, and the count. */
const maxNamed = 20;

/** The data of a set of endpoints: the names of the first, and how many there are. */
export function setOf(endpoints: readonly Address[]): {
  readonly endpoints: readonly string[];
  readonly count: number;
} {
  return { endpoints: endpoints.slice(0, maxNamed).map(formatAddress), count: endpoints.length };
}

/** `a, b and c`; of more than three endpoints the first three, and how many more there are. */
export function listOf(endpoints: readonly Address[]): string {
  const names = endpoints.slice(0, 3).map(formatAddress);
  const more = endpoints.length - names.length;
  const parts = more > 0 ? [...names, `${more} more`] : names;
  const last = parts.pop() ?? "no endpoint";
  return parts.length > 0 ? `${parts.join(", ")} and ${last}` : last;
}

/** `1 connection`, `3 connections`. */
export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `1 more endpoint was`, `127 more endpoints were`; without the verb if none is given. */
export function more(count: number, one?: string, many?: string): string {
  const verb = count === 1 ? one : many;
  return `${countOf(count, "more endpoint")}${verb === undefined ? "" : ` ${verb}`}`;
}

/** `250 ms`, `2.5 s`, `3 min`, `2 h`. */
export function timeOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 360_000) / 10} h`;
}
