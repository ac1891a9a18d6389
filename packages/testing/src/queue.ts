/** A queue whose consumers wait for items, in order. */
export interface Queue<T> {
  put(item: T): void;
  /** The oldest item that was not taken yet, or the next one. */
  take(): Promise<T>;
}

export function queue<T>(): Queue<T> {
  const items: T[] = [];
  const takers: ((item: T) => void)[] = [];
  return {
    put(item) {
      const taker = takers.shift();
      if (taker) taker(item);
      else items.push(item);
    },
    take() {
      return items.length > 0
        ? Promise.resolve(items.shift() as T)
        : new Promise(resolve => takers.push(resolve));
    },
  };
}
