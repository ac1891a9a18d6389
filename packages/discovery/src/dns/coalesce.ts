/**
 * Coalesces look-ups: a call for a key whose look-up is running shares its result. A signal ends the wait of its own
 * caller only; the look-up is aborted when its last caller has given up.
 */
export function coalesced<T>(): (
  key: string,
  lookUp: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
) => Promise<T> {
  interface Running {
    readonly result: Promise<T>;
    readonly abort: AbortController;
    callers: number;
  }
  const running = new Map<string, Running>();

  const start = (key: string, lookUp: (signal: AbortSignal) => Promise<T>): Running => {
    const abort = new AbortController();
    const remove = (): void => {
      if (running.get(key) === one) running.delete(key);
    };
    const one: Running = { result: lookUp(abort.signal).finally(remove), abort, callers: 0 };
    // All callers may have given up before it fails.
    one.result.catch(() => {});
    running.set(key, one);
    return one;
  };

  return (key, lookUp, signal) => {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const one = running.get(key) ?? start(key, lookUp);
    one.callers += 1;
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void => {
        one.callers -= 1;
        if (one.callers === 0) {
          if (running.get(key) === one) running.delete(key);
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
