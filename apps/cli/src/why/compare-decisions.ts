import type { PoolRecord, Replay, TimedDecision } from "@gw/selector";
import { type LocalTime, spanOf } from "./local-time.js";

/** How many differences are told at most. */
const maxTold = 50;

/** What a replay has decided otherwise than the record, a sentence each, in the order of their times; empty if nothing. */
export function differences(
  { recorded, replayed }: Replay,
  record: PoolRecord,
  time: LocalTime,
): readonly string[] {
  const at = ({ atMs }: TimedDecision): string =>
    time.short(new Date(record.wallMs + atMs - record.clockMs).toISOString());
  const told: { readonly atMs: number; readonly text: string }[] = [];
  for (const [before, now] of pairs(recorded, replayed)) {
    if (before && now) {
      const shiftMs = now.atMs - before.atMs;
      if (shiftMs !== 0)
        told.push({
          atMs: before.atMs,
          text: `At ${at(before)}, ${sentence(before, "was")}; it would have been ${spanOf(Math.abs(shiftMs))} ${shiftMs < 0 ? "earlier" : "later"}, at ${at(now)}.`,
        });
      else if (JSON.stringify(before) !== JSON.stringify(now))
        told.push({
          atMs: before.atMs,
          text: `At ${at(before)}, ${sentence(before, "was")}; ${otherwise(before, now)}.`,
        });
    } else if (before)
      told.push({
        atMs: before.atMs,
        text: `At ${at(before)}, ${sentence(before, "was")}; that would not have happened.`,
      });
    else if (now) told.push({ atMs: now.atMs, text: `At ${at(now)}, ${sentence(now, "would have been")}.` });
  }
  told.sort((a, b) => a.atMs - b.atMs);
  const left = told.length - maxTold;
  return [
    ...told.slice(0, maxTold).map(({ text }) => text),
    ...(left > 0 ? [`${left} later ${left === 1 ? "difference is" : "differences are"} not shown.`] : []),
  ];
}

/** The decisions of each kind about each endpoint, in their order: the first with the first, and so on. */
function pairs(
  recorded: readonly TimedDecision[],
  replayed: readonly TimedDecision[],
): readonly (readonly [TimedDecision | undefined, TimedDecision | undefined])[] {
  const [before, now] = [byKind(recorded), byKind(replayed)];
  return [...new Set([...before.keys(), ...now.keys()])].flatMap(kind => {
    const [those, these] = [before.get(kind) ?? [], now.get(kind) ?? []];
    return aligned(those, these);
  });
}

/** Pairs those at the same time first; the others in their order between them. */
function aligned(
  those: readonly TimedDecision[],
  these: readonly TimedDecision[],
): readonly (readonly [TimedDecision | undefined, TimedDecision | undefined])[] {
  const times = new Set(these.map(({ atMs }) => atMs));
  const result: (readonly [TimedDecision | undefined, TimedDecision | undefined])[] = [];
  let next = 0;
  const pending: TimedDecision[] = [];
  const pairUntil = (atMs: number): void => {
    while ((these[next]?.atMs ?? Infinity) < atMs) result.push([pending.shift(), these[next++]]);
    for (const left of pending.splice(0)) result.push([left, undefined]);
  };
  for (const one of those) {
    if (!times.has(one.atMs)) pending.push(one);
    else {
      pairUntil(one.atMs);
      result.push([one, these[next++]]);
    }
  }
  pairUntil(Infinity);
  return result;
}

function byKind(decisions: readonly TimedDecision[]): ReadonlyMap<string, TimedDecision[]> {
  const kinds = new Map<string, TimedDecision[]>();
  for (const decision of decisions) {
    const kind = `${decision.event} ${decision.endpoint ?? ""} ${decision.from ?? ""}`;
    const known = kinds.get(kind);
    if (known) known.push(decision);
    else kinds.set(kind, [decision]);
  }
  return kinds;
}

/** How a decision about the same at the same time differs. */
function otherwise(before: TimedDecision, now: TimedDecision): string {
  if (now.retryInMs !== undefined && now.reason === before.reason)
    return `it would have been ${spanOf(now.retryInMs)} later`;
  return `the reason would have been: ${now.reason ?? "none"}`;
}

function sentence({ event, endpoint, from, reason, retryInMs }: TimedDecision, was: string): string {
  const because = reason === undefined ? "" : ` (${reason})`;
  const next = retryInMs === undefined ? "" : `, the next try ${spanOf(retryInMs)} later`;
  switch (event) {
    case "endpoint down":
      return `${endpoint} ${was} marked down${because}${next}`;
    case "endpoint still down":
      return `${endpoint} ${was} tried again and still down${because}${next}`;
    case "endpoint up":
      return `${endpoint} ${was} marked up`;
    case "failover":
      return `new connections ${was} moved from ${from} to ${endpoint}${because}`;
    case "panic":
      return `a panic ${was} reported${because}`;
    case "panic over":
      return `the end of a panic ${was} reported`;
  }
}
