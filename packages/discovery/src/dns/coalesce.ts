/**
 * Runs one piece of work per key at a time: who asks for a key whose work is under way joins it. A signal
 * gives up for its own caller only; the work is aborted when its last caller has given up.
 */
export function shared<T>(): (
  key: string,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
) => Promise<T> {
  interface UnderWay {
    readonly result: Promise<T>;
    readonly abort: AbortController;
    callers: number;
  }
  const underWay = new Map<string, UnderWay>();

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): UnderWay => {
    const abort = new AbortController();
    const forget = (): void => {
      if (underWay.get(key) === one) underWay.delete(key);
    };
    const one: UnderWay = { result: work(abort.signal).finally(forget), abort, callers: 0 };
    // All callers may have given up by the time when it fails.
    one.result.catch(() => {});
    underWay.set(key, one);
    return one;
  };

  return (key, work, signal) => {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const one = underWay.get(key) ?? begin(key, work);
    one.callers += 1;
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => {
        one.callers -= 1;
        if (one.callers === 0) {
          if (underWay.get(key) === one) underWay.delete(key);
          one.abort.abort(signal?.reason);
        }
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const done = (): void => signal?.removeEventListener("abort", giveUp);
      one.result.finally(done).then(resolve, reject);
    });
  };
}
