import { type Clock, createOutage, GatewayError, sleep } from "@gw/interface";
import { formatDuration } from "../flags/duration.js";
import type { EventLog } from "../log/event-log.js";
import { type State, writeState } from "./state-file.js";

/** How long the end of the gateway waits for the last write. */
const closeTimeoutMs = 3_000;
/** Until the first write, the pool is asked this often whether there is something to save, */
const firstSaveMs = 1_000;
/** and after a write this often, */
const saveMs = 10_000;
/** and after one that failed. */
const failedSaveMs = 60_000;
/** An unchanged state is written again after this time, so that its age shows when it was last true. */
const confirmMs = 24 * 3_600_000;

interface StateSaverOptions {
  readonly path: string;
  /** Settles when the file was read. */
  readonly reading: Promise<unknown>;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** Writes a state file whenever there is something new to save. Failures are logged. */
export class StateSaver {
  readonly #options: StateSaverOptions;
  /** What is to be saved now; undefined if nothing is. */
  #take: () => State | undefined = () => undefined;
  /** The last write, or the read before it: one operation at a time, so that a disk that hangs holds one thread. */
  #written: Promise<unknown>;
  #writtenText = "";
  #writtenAt = -Infinity;
  #cancel = (): void => {};
  #isClosed = false;
  readonly #outage;

  constructor(options: StateSaverOptions) {
    this.#options = options;
    this.#written = options.reading.catch(() => {});
    this.#outage = createOutage(options.clock);
  }

  /** Begins to save what `take` returns; undefined: nothing yet. */
  start(take: () => State | undefined): void {
    if (this.#isClosed) return;
    this.#take = take;
    this.#saveAfter(firstSaveMs);
  }

  /** Saves a last time. Resolves when that is done, or after three seconds. */
  async close(): Promise<void> {
    this.#cancel();
    const { clock } = this.#options;
    if (!this.#isClosed) {
      this.#isClosed = true;
      const state = this.#take();
      if (state) this.#written = this.#written.then(() => this.#write(state));
    }
    const timer = new AbortController();
    await Promise.race([this.#written, sleep(closeTimeoutMs, clock, timer.signal)]);
    timer.abort();
  }

  #saveAfter(delayMs: number): void {
    const { clock } = this.#options;
    this.#cancel = clock.after(delayMs, () => {
      const state = this.#take();
      if (!state || !this.#isNew(state)) return this.#saveAfter(delayMs);
      this.#written = this.#written.then(async () => {
        const isWritten = await this.#write(state);
        if (!this.#isClosed) this.#saveAfter(isWritten ? saveMs : failedSaveMs);
      });
    });
  }

  #isNew(state: State): boolean {
    const { clock } = this.#options;
    return comparable(state) !== this.#writtenText || clock.now() - this.#writtenAt >= confirmMs;
  }

  /** @returns whether it was written; if not, that is logged once */
  async #write(state: State): Promise<boolean> {
    const { path, log, clock } = this.#options;
    try {
      await writeState(path, state);
    } catch (cause) {
      const { detail } = GatewayError.from(cause, "write");
      if (this.#outage.failed(detail)) log.write("state file not written", { file: path, reason: detail });
      return false;
    }
    this.#writtenText = comparable(state);
    this.#writtenAt = clock.now();
    const ended = this.#outage.succeeded();
    if (ended)
      log.write("state file written again", { file: path, failedFor: formatDuration(ended.failedMs) });
    return true;
  }
}

/** The same text for states that differ only in their time and in the order of DNS records, which varies. */
function comparable({ discovery, clusterId, endpoints, addresses }: State): string {
  const parts = [
    ...endpoints.map(endpoint => JSON.stringify(endpoint)),
    ...[...addresses].map(([host, found]) => JSON.stringify([host, found.toSorted()])),
  ];
  return JSON.stringify([discovery, clusterId, parts.sort()]);
}
