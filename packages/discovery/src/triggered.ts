import type { WatchOptions } from "@gw/interface";

/** An `onRefresh` that can be triggered from here as well; `trigger` does nothing while nobody listens. */
export function triggered(onRefresh: WatchOptions["onRefresh"]): {
  readonly onRefresh: NonNullable<WatchOptions["onRefresh"]>;
  readonly trigger: () => void;
} {
  const listeners = new Set<() => void>();
  return {
    onRefresh(listener) {
      listeners.add(listener);
      const unsubscribe = onRefresh?.(listener);
      return () => {
        listeners.delete(listener);
        unsubscribe?.();
      };
    },
    trigger() {
      for (const listener of listeners) listener();
    },
  };
}
