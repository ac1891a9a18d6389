import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { type Endpoint, formatAddress, parseAddress } from "@gw/interface";
import type { PoolEntry } from "../pool/entry.js";
import type { Cause } from "../pool/panic.js";
import { createReplayedPool, type PoolInternals } from "../pool/pool.js";
import type {
  PoolDecision,
  PoolInput,
  PoolRecord,
  RecordedError,
  RecordedOptions,
  RecordItem,
} from "./record.js";
import { RecordedRetries } from "./recorded-retries.js";
import { recordDecisions } from "./recording.js";
import { createReplayClock } from "./replay-clock.js";
import { errorOf, restoreEntry, verdictOf } from "./snapshot.js";

/** A decision, and when it was made on the pool's clock, in milliseconds. */
export type TimedDecision = PoolDecision & { readonly atMs: number };

/** What a record has, and what a replay of it decided. */
export interface Replay {
  readonly recorded: readonly TimedDecision[];
  readonly replayed: readonly TimedDecision[];
  /** Whether it stopped at {@link maxReplayed} decisions. */
  readonly isCut: boolean;
}

/** How many decisions a replay makes at most. */
export const maxReplayed = 100_000;

/**
 * Gives a pool what a record has, at the same times, and returns what it decided. With the options of the record it
 * decides the same.
 *
 * @param changed the options that differ from the record's
 * @throws {GatewayError} `invalid-option`
 */
export async function replayDecisions(
  record: PoolRecord,
  changed: Partial<RecordedOptions> = {},
): Promise<Replay> {
  const options = { ...record.options, ...changed };
  const isSame = Object.entries(record.options).every(
    ([name, value]) => options[name as keyof RecordedOptions] === value,
  );
  const clock = createReplayClock(record.fromMs);
  const recording = recordDecisions({ seed: record.seed, limits: { items: Infinity, characters: Infinity } });
  const retries = new RecordedRetries(record.items, clock, isSame);
  const pool = createReplayedPool({
    ...options,
    onRemoved: "leave",
    onUnhealthy: "leave",
    recording,
    clock,
    probe: (endpoint, signal) =>
      retries.begin(endpoint, internals.entries.find(endpoint)?.down?.retryAt, signal),
  });
  const { internals } = pool;
  const player = new Player(pool, retries, record);
  const decided = (): readonly TimedDecision[] => (recording.record()?.items ?? []).filter(isDecision);
  await clock.turn();
  for (const item of record.items) {
    if (item.do === "decided") continue;
    if (!(await clock.advanceTo(item.atMs, () => retries.made > maxReplayed))) break;
    player.take(item);
    if (item.do === "retried") await eventLoopTurn();
  }
  await clock.advanceTo(record.untilMs, () => retries.made > maxReplayed);
  pool.close();
  const replayed = decided();
  return { recorded: record.items.filter(isDecision), replayed, isCut: retries.made > maxReplayed };
}

function isDecision(item: RecordItem): item is TimedDecision {
  return item.do === "decided";
}

/** Gives a pool its recorded state, and what happened. */
class Player {
  readonly #pool: ReturnType<typeof createReplayedPool>;
  readonly #internals: PoolInternals;
  readonly #retries: RecordedRetries;
  readonly #held = new Set<PoolEntry>();

  constructor(pool: ReturnType<typeof createReplayedPool>, retries: RecordedRetries, { start }: PoolRecord) {
    this.#pool = pool;
    this.#internals = pool.internals;
    this.#retries = retries;
    this.#begin(start);
  }

  take(input: PoolInput): void {
    if (input.do === "set") {
      this.#update(input.endpoints, input.returned);
      return;
    }
    if (input.do === "retried") {
      const { endpoint, dueMs, error, verdict } = input;
      const known = verdict && verdictOf(verdict);
      this.#retries.end(endpoint, dueMs, error ? errorOf(error) : undefined, known);
      return;
    }
    const entry = this.#entry(input.endpoint);
    if (!entry) return;
    if (input.do === "report")
      this.#pool.report(entry.endpoint, verdictOf(input.verdict), input.anotherIsHealthy);
    else if (input.do === "failed") this.#internals.dialFailed(entry, errorOf(input.error));
    else if (input.do === "answered") this.#internals.answered(entry);
    else if (input.do === "unanswered") this.#internals.unanswered(entry, input.refuted);
    else {
      const { from, fromLeft, moves } = input;
      const before =
        from === undefined ? undefined : fromLeft ? this.#gone(from, fromLeft) : this.#entry(from);
      this.#internals.connected(entry, moves, before);
    }
  }

  #begin({ entries, draining, panic }: PoolRecord["start"]): void {
    const { entries: known } = this.#internals;
    // Those that drain are kept as entries that have left.
    known.replace([...draining, ...entries].map(({ endpoint }) => endpoint));
    for (const snapshot of [...draining, ...entries]) {
      const entry = known.find(snapshot.endpoint);
      if (entry) restoreEntry(entry, snapshot);
    }
    this.#holdAll();
    known.replace(entries.map(({ endpoint }) => endpoint));
    const isUrgent = entries.length > 0 && entries.every(({ down }) => down);
    this.#internals.restore(isUrgent, panic && { cause: panic.cause as Cause, since: panic.sinceMs });
  }

  #update(endpoints: readonly Endpoint[], returned: readonly string[]): void {
    const { entries } = this.#internals;
    const kept = new Set(returned);
    const names = new Set(endpoints.map(formatAddress));
    // What had left the set, and has lost its connections since, was forgotten.
    for (const entry of [...entries.draining]) {
      const name = formatAddress(entry.endpoint);
      if (names.has(name) && !kept.has(name)) entries.forget(entry);
    }
    this.#pool.update(endpoints);
    this.#holdAll();
  }

  #holdAll(): void {
    for (const entry of this.#internals.entries.current) {
      if (this.#held.has(entry)) continue;
      this.#held.add(entry);
      this.#internals.hold(entry);
    }
  }

  #gone(name: string, error: RecordedError): PoolEntry {
    const endpoint = { ...parseAddress(name), priority: 0, weight: 0 };
    return this.#internals.entries.gone(endpoint, errorOf(error));
  }

  #entry(name: string): PoolEntry | undefined {
    return this.#internals.entries.named(name);
  }
}
