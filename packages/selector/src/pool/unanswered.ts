/** An endpoint that ended this many consecutive connections unanswered is marked down. */
const maxConsecutive = 3;
/** After this time without another the count starts again, in milliseconds. */
const runMs = 60_000;
/** An endpoint that is healthy by its checks is suspected again after this time, in milliseconds. */
const suspicionMs = 10_000;
/** A connection that lasted longer than this proves nothing when it ends without a byte, in milliseconds. */
export const soonMs = 15_000;
/** How many of the newest open connections are searched for one that was answered. */
const newest = 16;

/** The open connections of an endpoint; `connectedAt` is in tenths of a second. */
interface OpenConnections {
  newest(most: number): readonly { readonly answered: boolean | undefined; readonly connectedAt: number }[];
}

/**
 * Counts the consecutive connections of clients that one endpoint ended before it sent a byte, as a port forwarder, a
 * sidecar or a load balancer in front of a dead server does. An answer in between resets the count.
 *
 * If a conclusive health check succeeded meanwhile, the clients are at fault (one that speaks plain text to a TLS port,
 * say), and the connections do not count.
 */
export class Unanswered {
  #count = 0;
  #beganAt = 0;
  #lastAt = -Infinity;
  #suspectedAt = -Infinity;
  #isExcused = false;
  #isOnProbation = false;

  /** How many consecutive ones there were. */
  get count(): number {
    return this.#count;
  }

  /** Whether it was marked up because it accepted a connection, and has not answered a client since. */
  get isOnProbation(): boolean {
    return this.#isOnProbation;
  }

  /** Whether an answer to a client changes anything. */
  get isCounting(): boolean {
    return this.#count > 0 || this.#isOnProbation;
  }

  /** What {@link restore} takes. */
  save(): readonly number[] {
    const flags = Number(this.#isExcused) + 2 * Number(this.#isOnProbation);
    return [this.#count, this.#beganAt, this.#lastAt, this.#suspectedAt, flags];
  }

  restore([
    count = 0,
    beganAt = 0,
    lastAt = -Infinity,
    suspectedAt = -Infinity,
    flags = 0,
  ]: readonly number[]): void {
    this.#count = count;
    this.#beganAt = beganAt;
    this.#lastAt = lastAt;
    this.#suspectedAt = suspectedAt;
    this.#isExcused = (flags & 1) !== 0;
    this.#isOnProbation = (flags & 2) !== 0;
  }

  /** One more, at `now`. Returns whether that is a reason to check the endpoint, or to mark it down. */
  add(now: number): "check" | "fail" | undefined {
    if (now - this.#lastAt > runMs) this.#begin(now);
    this.#lastAt = now;
    this.#count += 1;
    const isReason = !this.#isExcused || now - this.#suspectedAt > suspicionMs;
    if (!isReason) return undefined;
    this.#suspectedAt = now;
    return !this.#isExcused && (this.#isOnProbation || this.#count >= maxConsecutive) ? "fail" : "check";
  }

  /** Whether one of the open connections was made since the first of them, and was answered. */
  isRefutedBy(open: OpenConnections): boolean {
    return open
      .newest(newest)
      .some(({ answered, connectedAt }) => answered && connectedAt * 100 >= this.#beganAt);
  }

  /** The endpoint has answered a client. */
  answered(): void {
    this.#count = 0;
    this.#lastAt = -Infinity;
    this.#isOnProbation = false;
  }

  /** A conclusive health check succeeded. */
  healthChecked(): void {
    this.#isExcused = this.#count > 0;
    this.#isOnProbation = false;
  }

  /** It was marked down, for any reason. */
  markedDown(): void {
    this.#isExcused = false;
  }

  /** It was marked up. `isProven`: because of a conclusive health check. */
  markedUp(isProven: boolean): void {
    if (isProven) this.healthChecked();
    else this.#isOnProbation = true;
  }

  #begin(now: number): void {
    this.#count = 0;
    this.#beganAt = now;
    this.#isExcused = false;
  }
}
