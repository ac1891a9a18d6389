import { type Clock, type Endpoint, formatAddress, GatewayError, notify, type Observer } from "@gw/interface";
import type { Member } from "./member.js";

/** How members that are set aside are tried again. */
export interface RetrySettings {
  readonly retryDelayMs: number;
  /** Without it a member is back when the delay is over. */
  readonly probe: ((endpoint: Endpoint, signal: AbortSignal) => Promise<void>) | undefined;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
}

/** Tries members again and again, until they can serve. `member.retry` gives up. */
export class Retries {
  readonly #settings: RetrySettings;
  readonly #onSuccess: (member: Member) => void;
  #closed = false;

  constructor(settings: RetrySettings, onSuccess: (member: Member) => void) {
    this.#settings = settings;
    this.#onSuccess = onSuccess;
  }

  /** Tries a member when its delay is over. */
  begin(member: Member): void {
    if (this.#closed) return;
    const { clock, retryDelayMs } = this.#settings;
    member.retry.cancel = clock.after(retryDelayMs, () => this.#try(member));
  }

  /** Begins no more retries; those that are under way are given up by who knows the members. */
  close(): void {
    this.#closed = true;
  }

  async #try(member: Member): Promise<void> {
    const { probe, observer, retryDelayMs } = this.#settings;
    const cancelled = new AbortController();
    member.retry.cancel = () => cancelled.abort();
    try {
      await probe?.(member.endpoint, cancelled.signal);
      if (!cancelled.signal.aborted) this.#onSuccess(member);
    } catch (cause) {
      if (cancelled.signal.aborted || !member.aside) return;
      const { endpoint } = member;
      const error = GatewayError.from(cause, `probe ${formatAddress(endpoint)}`);
      member.aside = { ...member.aside, error };
      notify(observer, "stillAside", { endpoint, error, retryInMs: retryDelayMs });
      this.begin(member);
    }
  }
}
