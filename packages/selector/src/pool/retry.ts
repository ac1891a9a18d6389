import {
  type Clock,
  createLimiter,
  type Endpoint,
  formatAddress,
  GatewayError,
  notify,
  type Observer,
  type Verdict,
} from "@gw/interface";
import type { BackoffSettings } from "./backoff.js";
import type { PoolEntry } from "./entry.js";

/** How members that are set aside are tried again. */
export interface RetrySettings extends BackoffSettings {
  /** Without it a member is back when the delay is over. */
  readonly probe: ((endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict | undefined>) | undefined;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
}

/** While nobody is up, members are tried at least this often, in milliseconds. */
const urgentMs = 5_000;

/** How many members are tried at the same time; each takes a descriptor or two. */
const atOnce = 16;
/** How many of these are kept for members that did not hang when they were last tried. */
const reserved = 4;

/** Tries members again and again, until they can serve. `member.retry` gives up. */
export class Retries {
  readonly #settings: RetrySettings;
  readonly #onSuccess: (member: PoolEntry, verdict: Verdict | undefined) => void;
  readonly #limited = createLimiter({ limit: atOnce, reserved });
  #urgent = false;
  #closed = false;

  constructor(settings: RetrySettings, onSuccess: (member: PoolEntry, verdict: Verdict | undefined) => void) {
    this.#settings = settings;
    this.#onSuccess = onSuccess;
  }

  /** How long `member`, which has failed now, will be left alone, in milliseconds. */
  waitMs(member: PoolEntry): number {
    const ms = member.backoff.failed(this.#settings);
    return this.#urgent ? Math.min(ms, urgentMs) : ms;
  }

  /** Tries a member when it is due. */
  begin(member: PoolEntry): void {
    if (this.#closed || !member.aside) return;
    const { clock } = this.#settings;
    member.retry.cancel = clock.after(member.aside.retryAt - clock.now(), () => this.#try(member));
  }

  /** Whether nobody is up, so that there is no time to lose: `members` wait less from now on. */
  hurry(urgent: boolean, members: readonly PoolEntry[]): void {
    if (this.#urgent === urgent) return;
    this.#urgent = urgent;
    const soonest = this.#settings.clock.now() + urgentMs;
    for (const member of urgent ? members : []) {
      if (!member.aside || member.aside.retryAt <= soonest) continue;
      member.retry.cancel();
      member.aside = { ...member.aside, retryAt: soonest };
      this.begin(member);
    }
  }

  /** Begins no more retries; those that are under way are given up by who knows the members. */
  close(): void {
    this.#closed = true;
  }

  async #try(member: PoolEntry): Promise<void> {
    const { probe, observer, clock } = this.#settings;
    const cancelled = new AbortController();
    const { signal } = cancelled;
    member.retry.cancel = () => cancelled.abort();
    try {
      const verdict =
        probe &&
        (await this.#limited(
          async () => (signal.aborted ? undefined : probe(member.endpoint, signal)),
          member.aside?.error.code === "timed-out",
        ));
      if (!signal.aborted) this.#onSuccess(member, verdict);
    } catch (cause) {
      if (signal.aborted || !member.aside) return;
      const { endpoint } = member;
      const error = GatewayError.from(cause, `probe ${formatAddress(endpoint)}`);
      if (error.isLocal) {
        // It was not tried at all.
        member.aside = { ...member.aside, retryAt: clock.now() + urgentMs };
        this.begin(member);
        return;
      }
      const retryInMs = this.waitMs(member);
      member.aside = { ...member.aside, error, retryAt: clock.now() + retryInMs };
      notify(observer, "endpointStillDown", { endpoint, error, retryInMs });
      this.begin(member);
    }
  }
}
