/** How a {@link Limiter} limits. */
export interface LimiterOptions {
  /** How many run at the same time; a whole number from 1. */
  readonly limit: number;
  /** How many of these places are reserved for work that is not slow; less than `limit`. @default 0 */
  readonly reserved?: number | undefined;
}

/**
 * Runs `work` as soon as there is a free place, in the order of the calls; work that is expected to be `slow` does not get
 * the reserved places, so that it cannot delay the rest. Settles as `work` does. Work that is no longer needed should
 * return at once.
 */
export type Limiter = <T>(work: () => Promise<T>, slow?: boolean) => Promise<T>;

/** Limits how much work runs at the same time, such as connections to endpoints. Each call takes constant time. */
export function createLimiter({ limit, reserved = 0 }: LimiterOptions): Limiter {
  let running = 0;
  let runningSlowly = 0;
  const queues = { fast: createQueue(), slow: createQueue() };
  const fits = (slow: boolean): boolean => running < limit && !(slow && runningSlowly >= limit - reserved);

  /** Takes a place, now or when one is free. */
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
    const wait = enter(slow);
    if (wait) await wait;
    try {
      return await work();
    } finally {
      leave(slow);
    }
  };
}

type Waiter = () => void;

/** First in, first out. `shift` of an array would move all other elements. */
function createQueue(): { readonly size: number; put(waiter: Waiter): void; take(): Waiter | undefined } {
  let incoming: Waiter[] = [];
  /** In reverse order. */
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
