/** How a {@link Limiter} limits. */
export interface LimiterOptions {
  /** How many run at the same time; a whole number from 1. */
  readonly limit: number;
  /** How many of these are kept for what is not slow; less than `limit`. @default 0 */
  readonly reserved?: number | undefined;
}

/**
 * Runs `work` when its turn has come: in the order of the calls, but what is expected to be `slow` does not take the
 * last free places, so that it cannot hold up the rest. Settles as `work` does; who has lost interest by then lets
 * `work` return at once.
 */
export type Limiter = <T>(work: () => Promise<T>, slow?: boolean) => Promise<T>;

/** Bounds how much runs at the same time, such as connections to endpoints. Each call takes constant time. */
export function createLimiter({ limit, reserved = 0 }: LimiterOptions): Limiter {
  let running = 0;
  let runningSlowly = 0;
  const queues = { fast: createQueue(), slow: createQueue() };
  const fits = (slow: boolean): boolean => running < limit && !(slow && runningSlowly >= limit - reserved);

  /** Takes a place, at once or when one is free. */
  const enter = (slow: boolean): Promise<void> | undefined => {
    if (fits(slow)) {
      take(slow);
      return undefined;
    }
    return new Promise(resolve => queues[slow ? "slow" : "fast"].put(resolve));
  };
  const take = (slow: boolean): void => {
    running += 1;
    if (slow) runningSlowly += 1;
  };
  const leave = (slow: boolean): void => {
    running -= 1;
    if (slow) runningSlowly -= 1;
    for (const next of [false, true]) {
      const queue = queues[next ? "slow" : "fast"];
      if (queue.size === 0 || !fits(next)) continue;
      take(next);
      queue.take()?.();
      return;
    }
  };

  return async (work, slow = false) => {
    const turn = enter(slow);
    if (turn) await turn;
    try {
      return await work();
    } finally {
      leave(slow);
    }
  };
}

type Waiter = () => void;

/** First in, first out. Taking the first of an array would move all others. */
function createQueue(): { readonly size: number; put(waiter: Waiter): void; take(): Waiter | undefined } {
  let incoming: Waiter[] = [];
  /** The first one last. */
  let outgoing: Waiter[] = [];
  return {
    get size() {
      return incoming.length + outgoing.length;
    },
    put: waiter => void incoming.push(waiter),
    take() {
      if (outgoing.length === 0) {
        outgoing = incoming.reverse();
        incoming = [];
      }
      return outgoing.pop();
    },
  };
}
