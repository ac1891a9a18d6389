import type { Figure } from "../contract.js";
import { findRow, type Results, type Row } from "../results.js";

/** A figure that stands for its measure in the short table and in the chart of ratios. */
export interface Headline {
  readonly title: string;
  readonly figure: Figure;
  /** The row of a subject; undefined where it was not measured. */
  row(subject: string): Row | undefined;
}

const places: readonly (readonly [title: string, measure: string, title: string, figure: string])[] = [
  ["64 connections × 128 B: requests", "rr", "64 × 128 B", "rate"],
  ["… p99", "rr", "64 × 128 B", "p99"],
  ["… proxy CPU per round trip", "rr", "64 × 128 B", "cpu"],
  ["4 connections up: bulk", "bulk", "4 up", "rate"],
  ["4 connections down: bulk", "bulk", "4 down", "rate"],
  ["… proxy CPU per GB", "bulk", "4 down", "cpu"],
  ["connect, 1 byte each way, close", "connect", "64 at a time", "rate"],
  ["… proxy CPU per connection", "connect", "64 at a time", "cpu"],
  ["idle connection: proxy memory", "idle", "3,000 open", "memory"],
  ["idle connection: descriptors", "idle", "3,000 open", "descriptors"],
  ["exec to ready", "start", "from exec", "ready"],
  ["base memory", "start", "from exec", "memory"],
  ["64 connections: puts into etcd", "put", "64 connections", "rate"],
  ["… p99 of a put", "put", "64 connections", "p99"],
];

/** Those that this run has measured. */
export function headlinesOf(results: Results): Headline[] {
  return places.flatMap(([title, measure, place, key]) => {
    const figure = results.measures
      .find(({ name }) => name === measure)
      ?.figures.find(one => one.key === key);
    const row = (subject: string): Row | undefined =>
      findRow(results, { measure, case: place, subject, figure: key });
    const measured = results.subjects.some(({ name }) => row(name)?.median !== undefined);
    return figure && measured ? [{ title, figure, row }] : [];
  });
}
