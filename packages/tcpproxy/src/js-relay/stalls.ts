import type { Direction } from "./direction.js";
import type { Ticker, Ticking } from "./ticker.js";

/** The connection that stalls are of. */
export interface StallsOwner {
  /** Its client has waited for the stall timeout. Called once for each wait. */
  onStalled(): void;
}

/** Ticks within the stall timeout, and the longest time between two of them, in milliseconds. */
const ticks = 16;
const longestTickMs = 250;

/**
 * Since when the client of a connection waits for an answer, and when the backend last sent one. A client waits while it
 * has sent and the backend has sent nothing since.
 *
 * A read only sets a field. The first one also asks for ticks, which stop when there is no wait left to report: so
 * connections without traffic cost nothing. Waits are timed by ticks as well, except those that begin without ticks. So
 * a report is up to two ticks late, and never early.
 */
export class Stalls implements Ticking {
  tickerPlace = 0;
  readonly #fromBackend: Direction;
  readonly #timeoutMs: number;
  readonly #ticker: Ticker;
  readonly #owner: StallsOwner;
  #isTicking = false;
  /** Whether the client has sent since the backend last did. */
  #isAsking = false;
  /** When the client began to wait; undefined if it does not. */
  #sinceMs: number | undefined;
  #isReported = false;
  /** Bytes that the backend had sent at the last update, and when that number last grew. */
  #answers = 0;
  #answeredAtMs: number | undefined;

  constructor(fromBackend: Direction, timeoutMs: number, ticker: Ticker, owner: StallsOwner) {
    this.#fromBackend = fromBackend;
    this.#timeoutMs = timeoutMs;
    this.#ticker = ticker;
    this.#owner = owner;
  }

  /** See {@link RelayClient.waitingMs}. */
  get waitingMs(): number | undefined {
    const { nowMs } = this.#ticker;
    this.#update(nowMs);
    return this.#sinceMs === undefined ? undefined : nowMs - this.#sinceMs;
  }

  /** See {@link RelayClient.answeredMs}. */
  get answeredMs(): number | undefined {
    const { nowMs } = this.#ticker;
    this.#update(nowMs);
    return this.#answeredAtMs === undefined ? undefined : nowMs - this.#answeredAtMs;
  }

  /** Called for each read that got bytes, after they were counted. */
  onRead(isFromClient: boolean): void {
    this.#isAsking = isFromClient;
    if (!this.#isTicking) this.#start();
  }

  /** Called by the ticker. */
  tick(nowMs: number): void {
    this.#update(nowMs);
    if (this.#isHeldBack) return;
    if (this.#sinceMs === undefined || this.#isReported) this.stop();
    else if (nowMs - this.#sinceMs >= this.#timeoutMs) {
      this.stop();
      this.#isReported = true;
      this.#owner.onStalled();
    }
  }

  /** No more is reported, until the next read. */
  stop(): void {
    this.#isTicking = false;
    this.#ticker.delete(this);
  }

  #start(): void {
    this.#isTicking = true;
    this.#ticker.add(this, Math.min(this.#timeoutMs / ticks, longestTickMs));
    this.#update(this.#ticker.nowMs);
  }

  /** Whether an answer may be held back because the client takes no bytes. */
  get #isHeldBack(): boolean {
    const { hasPending, eof } = this.#fromBackend;
    return this.#isAsking && hasPending && !eof;
  }

  #update(nowMs: number): void {
    const { bytes, eof } = this.#fromBackend;
    if (bytes !== this.#answers) {
      this.#answers = bytes;
      this.#answeredAtMs = nowMs;
      this.#sinceMs = undefined;
      this.#isReported = false;
    }
    if (!this.#isAsking || eof || this.#isHeldBack) this.#sinceMs = undefined;
    else this.#sinceMs ??= nowMs;
  }
}
