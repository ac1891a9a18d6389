import type { RelayEnd, RelaySettings } from "@gw/interface";
import type { Faults } from "./faults.js";

/** The connection whose client may wait. */
interface Waiting {
  /** Whether bytes of the backend wait for the client to take them. */
  isHeldBack(): boolean;
  report(): void;
}

/** Until a client that takes no bytes is checked again, in milliseconds. */
const heldBackMs = 10;

/** The wait of one client of the reference relay. */
export class Stalls {
  readonly #timeoutMs: number;
  readonly #faults: Faults;
  readonly #connection: Waiting;
  #timer: NodeJS.Timeout | undefined;
  #sinceMs: number | undefined;
  #answeredAtMs: number | undefined;
  #hasBackendEnded = false;
  /** Since when the client had been waiting when it left, and when that was; undefined if it was not, or has not left. */
  #left: { readonly sinceMs: number; readonly atMs: number } | undefined;
  #hasAnsweredLate = false;
  #reports = 0;

  constructor({ stallTimeoutMs = 0 }: RelaySettings, faults: Faults, connection: Waiting) {
    this.#timeoutMs = stallTimeoutMs || (faults.has("reports stalls without a timeout") ? 100 : 0);
    this.#faults = faults;
    this.#connection = connection;
  }

  get waitingMs(): number | undefined {
    return this.#faults.has("miscounts waits") ? 1 : ageMs(this.#sinceMs);
  }

  get answeredMs(): number | undefined {
    return this.#faults.has("miscounts answers") ? 1e9 : ageMs(this.#answeredAtMs);
  }

  /** The client has sent bytes, which `hasBackend`, or will have one. */
  asked(hasBackend: boolean): void {
    if (this.#timer && this.#faults.has("reports answered clients")) return;
    const from = this.#faults.has("counts waits from the first byte") || hasBackend;
    const again = this.#sinceMs === undefined || this.#faults.has("restarts waits with each byte");
    const answerable = !this.#hasBackendEnded || this.#faults.has("waits for backends that have ended");
    if (from && again && answerable) this.#wait();
  }

  answered(): void {
    if (!this.#faults.has("counts from the first answer")) this.#answeredAtMs = performance.now();
    this.#answeredAtMs ??= performance.now();
    this.#hasAnsweredLate = this.#left !== undefined;
    if (!this.#faults.has("counts waits of answered clients")) this.#sinceMs = undefined;
    if (this.#faults.has("reports answered clients")) return;
    clearTimeout(this.#timer);
    if (this.#faults.has("reports clients that have sent nothing")) this.#wait();
  }

  /** The client has ended its output, or failed. */
  clientEnded(): void {
    if (this.#sinceMs !== undefined) this.#left ??= { sinceMs: this.#sinceMs, atMs: performance.now() };
    if (this.#faults.has("reports no half-closed clients")) clearTimeout(this.#timer);
  }

  backendEnded(): void {
    this.#hasBackendEnded = true;
    if (!this.#faults.has("counts waits that the backend ended")) this.#sinceMs = undefined;
    clearTimeout(this.#timer);
  }

  /** See `RelayEnd.waitedMs`. */
  waitedMs(reason: RelayEnd["reason"]): number | undefined {
    if (this.#faults.has("does not report waits that were given up")) return undefined;
    const byPeers = reason === "finished" || reason === "client-failed" || reason === "backend-failed";
    if (!byPeers && !this.#faults.has("counts waits that it ended itself")) return undefined;
    const isServed = reason === "finished" && this.#hasAnsweredLate;
    if (isServed && !this.#faults.has("takes half-closed clients for gone")) return undefined;
    if (!this.#left) return undefined;
    const { sinceMs, atMs } = this.#left;
    return (this.#faults.has("counts waits to the end") ? performance.now() : atMs) - sinceMs;
  }

  ended(): void {
    if (this.#faults.has("reports stalls after the end")) return;
    this.#sinceMs = this.#answeredAtMs = undefined;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#timeoutMs === 0) return;
    if (this.#connection.isHeldBack() && !this.#faults.has("reports clients that take no bytes")) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#wait(), heldBackMs);
      return;
    }
    this.#sinceMs = performance.now();
    this.#startTimer();
  }

  #startTimer(): void {
    const early = this.#faults.has("reports stalls early") ? 0.5 : 1;
    const late = this.#faults.has("reports stalls late") ? 4 : 1;
    clearTimeout(this.#timer);
    // A timer of Node may be early by a part of a millisecond.
    this.#timer = setTimeout(() => this.#report(), this.#timeoutMs * early * late + 1);
  }

  #report(): void {
    if (this.#faults.has("reports no stalls")) return;
    if (this.#faults.has("reports one stall only") && this.#reports > 0) return;
    this.#reports += 1;
    if (this.#faults.has("repeats reports of stalls")) this.#startTimer();
    this.#connection.report();
  }
}

function ageMs(momentMs: number | undefined): number | undefined {
  return momentMs === undefined ? undefined : performance.now() - momentMs;
}
