import type { PoolEntry } from "./entry.js";

/** This many connections in a row that an endpoint ended unanswered mark it down. */
const mostInARow = 3;
/** They are no longer in a row after this time without another, in milliseconds. */
const runMs = 60_000;
/** An endpoint that checks find healthy all the same is suspected again after this time, in milliseconds. */
const suspicionMs = 10_000;
/** A connection that lasted longer than this says nothing when it ends without a byte, in milliseconds. */
export const soonMs = 15_000;
/** How many of the newest open connections are asked whether one was answered. */
const newest = 16;

/**
 * Counts the connections of clients that one endpoint ended before it sent a byte, as what accepts on behalf of a dead
 * server does: a port forwarder, a sidecar, a load balancer without backends. An answer in between ends the run.
 *
 * Where a health check had an answer meanwhile, the clients are to blame (one that speaks plain text to a TLS port, for
 * one), and the run does not count.
 */
export class Unanswered {
  #count = 0;
  #beganAt = 0;
  #lastAt = -Infinity;
  #suspectedAt = -Infinity;
  #isExcused = false;
  #isOnProbation = false;

  /** How many there were in a row. */
  get count(): number {
    return this.#count;
  }

  /** Whether it came back on the evidence of an accepted connection alone, and has not answered anybody since. */
  get isOnProbation(): boolean {
    return this.#isOnProbation;
  }

  /** One more, at `now`. Tells whether it is reason to check the endpoint, or to mark it down. */
  add(now: number): "check" | "fail" | undefined {
    if (now - this.#lastAt > runMs) this.#begin(now);
    this.#lastAt = now;
    this.#count += 1;
    const isReason = !this.#isExcused || now - this.#suspectedAt > suspicionMs;
    if (!isReason) return undefined;
    this.#suspectedAt = now;
    return !this.#isExcused && (this.#isOnProbation || this.#count >= mostInARow) ? "fail" : "check";
  }

  /** Whether a connection that was made in the time of the run was answered, and is open. */
  isRefutedBy({ connected }: PoolEntry): boolean {
    return connected
      .newest(newest)
      .some(({ answered, connectedAt }) => answered && connectedAt * 100 >= this.#beganAt);
  }

  /** The endpoint has answered a client. */
  answered(): void {
    this.#count = 0;
    this.#lastAt = -Infinity;
    this.#isOnProbation = false;
  }

  /** A health check had an answer. */
  proven(): void {
    this.#isExcused = this.#count > 0;
    this.#isOnProbation = false;
  }

  /** It was marked down, for whatever reason. */
  down(): void {
    this.#isExcused = false;
  }

  /** It is up again. `isProven`: by a health check that had an answer. */
  up(isProven: boolean): void {
    if (isProven) this.proven();
    else this.#isOnProbation = true;
  }

  #begin(now: number): void {
    this.#count = 0;
    this.#beganAt = now;
    this.#isExcused = false;
  }
}
