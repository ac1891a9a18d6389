/** Between two moves of connections, in milliseconds. */
export const tickMs = 6_000;
const minuteMs = 60_000;
/** Moving stops after this many moves that left as many connections to move: then the policy wants them where they are. */
const maxUselessMoves = 10;

/** How many connections are moved at each tick: a bounded part of them in a minute, and none where moving is useless. */
export class Pace {
  readonly #rate: number;
  /** Fractions of a connection add up from tick to tick. */
  #credit = 0;
  #fewestLeft = Infinity;
  #uselessMoves = 0;

  /** @param rate the part of all connections, 0 to 1, that may be moved in a minute */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Whether moving has made no difference for a while. */
  get isUseless(): boolean {
    return this.#uselessMoves >= maxUselessMoves;
  }

  /** Something has changed, so that moving may make a difference. */
  restart(): void {
    this.#fewestLeft = Infinity;
    this.#uselessMoves = 0;
  }

  /** Begins with a random part of a connection, so that gateways that begin together do not move together. */
  stagger(random: () => number): void {
    this.#credit = random();
  }

  /** One tick has passed: how many of the `left` connections that are to be moved, of `total` in all, may be moved now. */
  tick(total: number, left: number): number {
    const inMinute = total * this.#rate;
    this.#credit = Math.min(this.#credit + (inMinute * tickMs) / minuteMs, Math.max(1, inMinute));
    return Math.min(Math.floor(this.#credit), left);
  }

  /** `count` connections were moved when `left` were to be moved. */
  moved(count: number, left: number): void {
    if (count === 0) return;
    this.#credit -= count;
    this.#uselessMoves = left < this.#fewestLeft ? 0 : this.#uselessMoves + 1;
    this.#fewestLeft = Math.min(this.#fewestLeft, left);
  }
}
