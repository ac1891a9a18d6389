import {
  createLimiter,
  formatAddress,
  GatewayError,
  type Limiter,
  notify,
  type Verdict,
} from "@gw/interface";
import { drawOf } from "../replay/draws.js";
import { recordedError, recordedVerdict } from "../replay/record.js";
import { urgentDelayMs } from "./backoff.js";
import type { PoolEntry } from "./entry.js";
import type { PoolSettings } from "./options.js";

/** How many entries are tried at the same time; each takes a descriptor or two. */
const atOnce = 16;
/** How many of these are kept for entries that did not hang when they were last tried. */
const reserved = 4;

type RetrySettings = Pick<
  PoolSettings,
  "probe" | "retryDelayMs" | "maxRetryDelayMs" | "random" | "observer" | "clock" | "recording"
>;

/** Tries entries that are down again and again, until they can serve. `entry.retry.cancel()` stops it. */
export class Retries {
  readonly #settings: RetrySettings;
  readonly #onSuccess: (entry: PoolEntry, verdict: Verdict | undefined) => void;
  readonly #limited: Limiter;
  /** Whether all endpoints were down when that was last set. */
  #urgent = false;
  #closed = false;

  /** @param limit how many are tried at the same time */
  constructor(
    settings: RetrySettings,
    onSuccess: (entry: PoolEntry, verdict: Verdict | undefined) => void,
    limit: number = atOnce,
  ) {
    this.#settings = settings;
    this.#onSuccess = onSuccess;
    this.#limited = createLimiter({ limit, reserved });
  }

  /** How long to wait before `entry`, which has failed now, is tried again, in milliseconds. */
  delayMs(entry: PoolEntry): number {
    return entry.backoff.failed({ ...this.#settings, random: this.#randomOf(entry) }, this.#urgent);
  }

  /** Tries an entry that is down after `delayMs`; `error` is the failure of the retry before, if there was one. */
  schedule(entry: PoolEntry, delayMs: number, error?: GatewayError): void {
    const { clock } = this.#settings;
    entry.retryAt(clock.now() + delayMs, error);
    if (!this.#closed && entry.down) entry.retry.cancel = clock.after(delayMs, () => this.#try(entry));
  }

  /** Sets whether all endpoints are down: then `entries` are tried sooner from now on. */
  setUrgent(urgent: boolean, entries: readonly PoolEntry[]): void {
    if (this.#urgent === urgent) return;
    this.#urgent = urgent;
    const { clock } = this.#settings;
    for (const entry of urgent ? entries : []) {
      const delayMs = urgentDelayMs(this.#randomOf(entry));
      if (!entry.down || entry.down.retryAt <= clock.now() + delayMs) continue;
      entry.retry.cancel();
      this.schedule(entry, delayMs);
    }
  }

  /** Goes on with a state that was recorded. */
  restore(urgent: boolean, entries: readonly PoolEntry[]): void {
    this.#urgent = urgent;
    const { clock } = this.#settings;
    for (const entry of entries)
      if (entry.down)
        entry.retry.cancel = clock.after(Math.max(0, entry.down.retryAt - clock.now()), () =>
          this.#try(entry),
        );
  }

  /** Begins no more retries; the owner of the entries cancels those that are under way. */
  close(): void {
    this.#closed = true;
  }

  /** While decisions are recorded, a replay draws the same numbers. */
  #randomOf(entry: PoolEntry): () => number {
    const { recording, random } = this.#settings;
    if (!recording) return random;
    return () => {
      entry.draws += 1;
      return drawOf(recording.seed, formatAddress(entry.endpoint), entry.draws);
    };
  }

  async #try(entry: PoolEntry): Promise<void> {
    const { probe, observer, recording } = this.#settings;
    const cancelled = new AbortController();
    const { signal } = cancelled;
    entry.retry.cancel = () => cancelled.abort();
    const dueMs = entry.down?.retryAt ?? 0;
    try {
      const verdict =
        probe &&
        (await this.#limited(
          async () => (signal.aborted ? undefined : probe(entry.endpoint, signal)),
          entry.down?.error.code === "timed-out",
        ));
      if (signal.aborted) return;
      recording?.input({
        do: "retried",
        endpoint: formatAddress(entry.endpoint),
        dueMs,
        ...(verdict && { verdict: recordedVerdict(verdict) }),
      });
      this.#onSuccess(entry, verdict);
    } catch (cause) {
      if (signal.aborted || !entry.down) return;
      // The set may have changed meanwhile.
      const { endpoint } = entry;
      const error = GatewayError.from(cause, `probe ${formatAddress(endpoint)}`);
      recording?.input({
        do: "retried",
        endpoint: formatAddress(endpoint),
        dueMs,
        error: recordedError(error),
      });
      // An error of this machine: the endpoint was not tried at all.
      if (error.isLocal) return this.schedule(entry, urgentDelayMs(this.#randomOf(entry)));
      const retryInMs = this.delayMs(entry);
      this.schedule(entry, retryInMs, error);
      notify(observer, "endpointStillDown", { endpoint, error, retryInMs });
    }
  }
}
