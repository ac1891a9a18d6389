import { type Clock, GatewayError } from "@gw/interface";

/** How work takes turns. */
export interface TurnsOptions {
  /** How many run at a time. */
  readonly atOnce: number;
  /** How many may wait; more are refused. */
  readonly maxWaiting: number;
  /** The first turn, in milliseconds; each further one is twice as long. */
  readonly sliceMs: number;
  readonly clock: Clock;
}

/** One piece of work, which may take several turns. */
interface Turn {
  readonly work: (signal: AbortSignal) => Promise<void>;
  sliceMs: number;
  startedAt: number;
  abort: AbortController;
}

/**
 * Runs work that can be given up and begun again, a few at a time. While others wait, what has had its turn is given
 * up and waits for another, twice as long: so work that hangs holds nothing back for longer than a turn.
 *
 * The work rejects when its signal is aborted. Its result is that of its last turn.
 */
export function takingTurns({
  atOnce,
  maxWaiting,
  sliceMs,
  clock,
}: TurnsOptions): <T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => Promise<T> {
  const running = new Set<Turn>();
  /** Those with the shortest turn first, then in the order of their arrival. */
  const waiting: Turn[] = [];
  let cancelTimer = (): void => {};

  const enqueue = (turn: Turn): void => {
    const later = waiting.findIndex(other => other.sliceMs > turn.sliceMs);
    waiting.splice(later < 0 ? waiting.length : later, 0, turn);
  };
  const start = (turn: Turn): void => {
    turn.startedAt = clock.now();
    turn.abort = new AbortController();
    running.add(turn);
    void turn.work(turn.abort.signal).then(() => {
      running.delete(turn);
      schedule();
    });
  };
  /** Lets in who can be, and gives up who has had a turn, now or when that will be. */
  const schedule = (): void => {
    cancelTimer();
    cancelTimer = () => {};
    for (let turn = running.size < atOnce ? waiting.shift() : undefined; turn; ) {
      start(turn);
      turn = running.size < atOnce ? waiting.shift() : undefined;
    }
    const [next] = waiting;
    if (!next) return;
    const overAt = (turn: Turn): number => turn.startedAt + Math.min(turn.sliceMs, next.sliceMs);
    const first = [...running].reduce((one, other) => (overAt(other) < overAt(one) ? other : one));
    const waitMs = overAt(first) - clock.now();
    if (waitMs > 0) cancelTimer = clock.after(waitMs, schedule);
    else if (!first.abort.signal.aborted) first.abort.abort(over);
  };

  return (work, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (waiting.length >= maxWaiting)
        return reject(new GatewayError("out-of-resources", `${maxWaiting} look-ups wait already`));
      const turn: Turn = {
        sliceMs,
        startedAt: 0,
        abort: new AbortController(),
        work: async turnSignal => {
          try {
            resolve(await work(turnSignal));
          } catch (error) {
            if (turnSignal.reason !== over || signal.aborted) return done(() => reject(error));
            turn.sliceMs *= 2;
            enqueue(turn);
            return;
          }
          done(() => {});
        },
      };
      const done = (conclude: () => void): void => {
        signal.removeEventListener("abort", onAbort);
        conclude();
      };
      const onAbort = (): void => {
        const at = waiting.indexOf(turn);
        if (at >= 0) waiting.splice(at, 1);
        turn.abort.abort(signal.reason);
        done(() => reject(signal.reason));
      };
      signal.addEventListener("abort", onAbort);
      enqueue(turn);
      schedule();
    });
}

/** Why a turn ended before its work. */
const over: unique symbol = Symbol("the turn is over");
