/** Passes on that everything should be looked up again. */
export interface Refresher {
  /** Asks all listeners to look again at once. */
  refresh(): void;
  /** Registers a listener; the function returned takes it out again. */
  readonly onRefresh: (listener: () => void) => () => void;
}

export function createRefresher(): Refresher {
  const listeners = new Set<() => void>();
  return {
    refresh() {
      for (const listener of [...listeners]) listener();
    },
    onRefresh(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
