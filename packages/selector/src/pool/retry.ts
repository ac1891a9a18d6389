import { createLimiter, formatAddress, GatewayError, notify, type Verdict } from "@gw/interface";
import { urgentDelayMs } from "./backoff.js";
import type { PoolEntry } from "./entry.js";
import type { PoolSettings } from "./options.js";

/** How many entries are tried at the same time; each takes a descriptor or two. */
const atOnce = 16;
/** How many of these are kept for entries that did not hang when they were last tried. */
const reserved = 4;

type RetrySettings = Pick<
  PoolSettings,
  "probe" | "retryDelayMs" | "maxRetryDelayMs" | "random" | "observer" | "clock"
>;

/** Tries entries that are down again and again, until they can serve. `entry.retry.cancel()` stops it. */
export class Retries {
  readonly #settings: RetrySettings;
  readonly #onSuccess: (entry: PoolEntry, verdict: Verdict | undefined) => void;
  readonly #limited = createLimiter({ limit: atOnce, reserved });
  #urgent = false;
  #closed = false;

  constructor(settings: RetrySettings, onSuccess: (entry: PoolEntry, verdict: Verdict | undefined) => void) {
    this.#settings = settings;
    this.#onSuccess = onSuccess;
  }

  /** How long to wait before `entry`, which has failed now, is tried again, in milliseconds. */
  delayMs(entry: PoolEntry): number {
    return entry.backoff.failed(this.#settings, this.#urgent);
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
    const { clock, random } = this.#settings;
    for (const entry of urgent ? entries : []) {
      const delayMs = urgentDelayMs(random);
      if (!entry.down || entry.down.retryAt <= clock.now() + delayMs) continue;
      entry.retry.cancel();
      this.schedule(entry, delayMs);
    }
  }

  /** Begins no more retries; the owner of the entries cancels those that are under way. */
  close(): void {
    this.#closed = true;
  }

  async #try(entry: PoolEntry): Promise<void> {
    const { probe, observer } = this.#settings;
    const cancelled = new AbortController();
    const { signal } = cancelled;
    entry.retry.cancel = () => cancelled.abort();
    try {
      const verdict =
        probe &&
        (await this.#limited(
          async () => (signal.aborted ? undefined : probe(entry.endpoint, signal)),
          entry.down?.error.code === "timed-out",
        ));
      if (!signal.aborted) this.#onSuccess(entry, verdict);
    } catch (cause) {
      if (signal.aborted || !entry.down) return;
      // The set may have changed meanwhile.
      const { endpoint } = entry;
      const error = GatewayError.from(cause, `probe ${formatAddress(endpoint)}`);
      // An error of this machine: the endpoint was not tried at all.
      if (error.isLocal) return this.schedule(entry, urgentDelayMs(this.#settings.random));
      const retryInMs = this.delayMs(entry);
      this.schedule(entry, retryInMs, error);
      notify(observer, "endpointStillDown", { endpoint, error, retryInMs });
    }
  }
}
