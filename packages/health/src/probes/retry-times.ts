import { type Clock, createExpiringMap } from "@gw/interface";

/** When to ask endpoints again for what they did not answer, by name. */
export interface RetryTimes {
  /** Whether to ask now: at first, and when the wait is over. */
  isDue(name: string): boolean;
  /** It did not answer: asked again in a minute, then after twice as long each time. */
  refused(name: string): void;
  /** It answered: a later refusal counts as the first. */
  answered(name: string): void;
}

/** The first wait, and the longest, in milliseconds: a request that is not understood may leave an error in a log. */
const [firstMs, longestMs] = [60_000, 960_000];

export function createRetryTimes(clock: Clock): RetryTimes {
  const waits = createExpiringMap(clock, () => ({ dueAt: -Infinity, nextMs: firstMs }));
  return {
    isDue: name => clock.now() >= waits.get(name).dueAt,
    refused(name) {
      const wait = waits.get(name);
      wait.dueAt = clock.now() + wait.nextMs;
      wait.nextMs = Math.min(longestMs, wait.nextMs * 2);
    },
    answered: waits.delete,
  };
}
