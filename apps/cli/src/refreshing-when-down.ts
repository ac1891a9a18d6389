import type { Observer } from "@gw/interface";

/**
 * While no endpoint is up, everything is looked up again and again, until `signal` is aborted: where they are may
 * have changed.
 *
 * @param everyMs how often, in milliseconds
 */
export function refreshingWhenDown(
  observer: Observer,
  refresh: () => void,
  signal: AbortSignal,
  everyMs = 5_000,
): Observer {
  let timer: NodeJS.Timeout | undefined;
  const calm = (): void => clearInterval(timer);
  signal.addEventListener("abort", calm);
  return {
    ...observer,
    panic(event) {
      observer.panic?.(event);
      calm();
      if (signal.aborted || event.cause !== "all-down") return;
      timer = setInterval(refresh, everyMs).unref();
      refresh();
    },
    panicOver(event) {
      observer.panicOver?.(event);
      calm();
    },
  };
}
