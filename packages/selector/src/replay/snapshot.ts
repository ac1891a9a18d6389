import { GatewayError, type Verdict } from "@gw/interface";
import type { Entries } from "../pool/entries.js";
import type { EntryState, PoolEntry } from "../pool/entry.js";
import type { PanicReports } from "../pool/panic.js";
import {
  type EntrySnapshot,
  type JsonNumber,
  type PoolSnapshot,
  type RecordedVerdict,
  recordedError,
  recordedVerdict,
} from "./record.js";

/** The state of a pool on which its decisions depend. */
export function snapshotOf(entries: Entries, panic: PanicReports): PoolSnapshot {
  return {
    entries: entries.current.map(entrySnapshot),
    draining: [...entries.draining].map(entrySnapshot),
    ...(panic.cause && { panic: { cause: panic.cause, sinceMs: panic.since } }),
  };
}

function entrySnapshot(entry: PoolEntry): EntrySnapshot {
  const { endpoint, state, verdict, draws, down } = entry;
  const [backoff, unanswered] = [entry.backoff.save(), entry.unanswered.save()];
  return {
    endpoint,
    sinceMs: state.since,
    ...(down && {
      down: {
        cause: down.cause,
        error: recordedError(down.error),
        connectable: down.connectable,
        confirmed: down.confirmed,
        retryAtMs: down.retryAt,
      },
    }),
    ...(verdict && { verdict: recordedVerdict(verdict) }),
    ...(draws > 0 && { draws }),
    ...(backoff.some(isSet) && { backoff: backoff.map(toJson) }),
    ...(unanswered.some(isSet) && { unanswered: unanswered.map(toJson) }),
  };
}

/** Gives an entry that is new the state of a snapshot. */
export function restoreEntry(entry: PoolEntry, snapshot: EntrySnapshot): void {
  const { sinceMs, down, verdict, draws = 0, backoff, unanswered } = snapshot;
  const state: EntryState = down
    ? {
        name: "down",
        since: sinceMs,
        cause: down.cause,
        error: errorOf(down.error),
        connectable: down.connectable,
        confirmed: down.confirmed,
        retryAt: down.retryAtMs,
      }
    : { name: "up", since: sinceMs };
  entry.restore(state, verdict && verdictOf(verdict));
  entry.draws = draws;
  if (backoff) entry.backoff.restore(backoff.map(fromJson));
  if (unanswered) entry.unanswered.restore(unanswered.map(fromJson));
}

export function errorOf({ code, detail }: { readonly code: string; readonly detail: string }): GatewayError {
  return new GatewayError(code as GatewayError["code"], detail);
}

export function verdictOf({ error, ...verdict }: RecordedVerdict): Verdict {
  return { ...verdict, ...(error && { error: errorOf(error) }) };
}

function isSet(value: number): boolean {
  return value !== 0 && value !== -Infinity;
}

function toJson(value: number): JsonNumber {
  return Number.isFinite(value) ? value : null;
}

function fromJson(value: JsonNumber): number {
  return value ?? -Infinity;
}
