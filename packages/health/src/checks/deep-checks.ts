import { backoffMs, type Verdict } from "@gw/interface";

/** Between two deep checks that nothing has caused, in milliseconds: at least this, */
const soonestMs = 600_000;
/** and up to this, at random. */
const latestMs = 720_000;

/**
 * After a suspicion that a deep check did not confirm, the next suspicion causes one after this time at the earliest, in
 * milliseconds, doubled by each further false alarm. Requests that block for long, such as for a lock, are such alarms.
 */
const falseAlarm = { baseMs: 10_000, maxMs: 120_000 };
/** False alarms are forgotten when there was none for this long, in milliseconds. */
const forgottenMs = 600_000;

/**
 * When one endpoint is checked deeply, and what came of it. A deep check makes the whole cluster work, so it is rare.
 * Times are in milliseconds on the clock of the checks.
 */
export class DeepChecks {
  readonly #random: () => number;
  #dueAt: number;
  #startedAt = -Infinity;
  #healthyAt = -Infinity;
  #hasFailed = false;
  #check: string | undefined;
  #falseAlarms = 0;
  #falseAlarmAt = -Infinity;
  /** Whether a stall has yet to be followed by a deep check, which false alarms before may have put off. */
  isOwed = false;
  /** Whether the next check is the one that follows a stall, if the client still waits then. */
  isNext = false;

  constructor(now: number, random: () => number) {
    this.#random = random;
    this.#dueAt = now + random() * latestMs;
  }

  /** When the newest one began; -Infinity before the first. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** When the newest one began that succeeded; -Infinity before the first. */
  get healthyAt(): number {
    return this.#healthyAt;
  }

  /** Whether the newest one failed: then only another one shows whether the endpoint has recovered. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Whether deep checks are the same as the regular one `check`, as for probes that know one depth only. */
  isSameAs(check: string): boolean {
    return this.#check === check;
  }

  /**
   * The endpoint has clients from now on. The next deep check, if it is due by now, comes at a random time, since many
   * gateways may have moved to this endpoint at the same moment.
   */
  beginServing(now: number): void {
    if (this.#dueAt <= now)
      this.#dueAt = Math.max(this.#startedAt + soonestMs, now + this.#random() * latestMs);
  }

  /** Whether one is due, for an endpoint with clients, although nothing is suspicious. */
  isDue(now: number): boolean {
    return this.#dueAt <= now;
  }

  /** Whether suspicions were not confirmed lately. */
  hasFalseAlarms(now: number): boolean {
    if (now - this.#falseAlarmAt >= forgottenMs) this.#falseAlarms = 0;
    return this.#falseAlarms > 0;
  }

  /** Whether one may follow a suspicion now. */
  isAllowed(now: number): boolean {
    return !this.hasFalseAlarms(now) || now - this.#falseAlarmAt >= backoffMs(this.#falseAlarms, falseAlarm);
  }

  begin(now: number): void {
    this.#startedAt = now;
    this.#dueAt = now + soonestMs + this.#random() * (latestMs - soonestMs);
    this.cancel();
  }

  /** No stall needs one any more. */
  cancel(): void {
    this.isOwed = false;
    this.isNext = false;
  }

  /** @param isAlarm whether there was a suspicion */
  end({ check, error }: Verdict, isAlarm: boolean): void {
    this.#check = check;
    this.#hasFailed = error !== undefined;
    if (error) {
      this.#falseAlarms = 0;
      return;
    }
    this.#healthyAt = this.#startedAt;
    if (!isAlarm) return;
    this.#falseAlarms += 1;
    this.#falseAlarmAt = this.#startedAt;
  }
}
