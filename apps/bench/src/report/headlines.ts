import type { Figure } from "../contract.js";
import { type Results, type Row, rowOf } from "../results.js";

/** A figure that represents its measure in the short table and in the chart of ratios. */
export interface Headline {
  readonly title: string;
  readonly figure: Figure;
  /** The row of a subject; undefined where it was not measured. */
  row(subject: string): Row | undefined;
}

const places: readonly (readonly [title: string, measure: string, place: string, figure: string])[] = [
  ["64 × 128 B, requests", "rr", "64 × 128 B", "rate"],
  ["64 × 128 B, p99", "rr", "64 × 128 B", "p99"],
  ["64 × 128 B, proxy CPU per round trip", "rr", "64 × 128 B", "cpu"],
  ["bulk up, 4 connections", "bulk", "4 up", "rate"],
  ["bulk down, 4 connections", "bulk", "4 down", "rate"],
  ["bulk down, proxy CPU per GB", "bulk", "4 down", "cpu"],
  ["connect, a byte each way, close", "connect", "64 at a time", "rate"],
  ["the same, proxy CPU", "connect", "64 at a time", "cpu"],
  ["idle connection, memory", "idle", "3,000 open", "memory"],
  ["idle connection, descriptors", "idle", "3,000 open", "descriptors"],
  ["exec to ready", "start", "from exec", "ready"],
  ["base memory", "start", "from exec", "memory"],
  ["etcd puts, 64 connections", "put", "64 connections", "rate"],
  ["etcd puts, p99", "put", "64 connections", "p99"],
];

/** Those that this run has measured. */
export function headlinesOf(results: Results): Headline[] {
  return places.flatMap(([title, measure, place, key]) => {
    const figure = results.measures
      .find(({ name }) => name === measure)
      ?.figures.find(one => one.key === key);
    const row = (subject: string): Row | undefined =>
      rowOf(results, { measure, case: place, subject, figure: key });
    const measured = results.subjects.some(({ name }) => row(name)?.median !== undefined);
    return figure && measured ? [{ title, figure, row }] : [];
  });
}
