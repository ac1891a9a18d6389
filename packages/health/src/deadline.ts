import { type Clock, GatewayError, startTimeout } from "@gw/interface";

/** A signal that is aborted when the time is up, not counting pauses of this process, or by another signal. */
export interface Deadline {
  /** Its reason is a GatewayError, `timed-out` or `aborted`. */
  readonly signal: AbortSignal;
  /** `promise`, or a rejection with the signal's reason. What comes too late is given to `onLate`. */
  bound<T>(promise: Promise<T>, onLate: (late: T) => void): Promise<T>;
  /** To be called in the end: frees the timer. */
  cancel(): void;
}

/** @param doing what the errors begin with */
export function startDeadline(
  doing: string,
  options: { readonly timeoutMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): Deadline {
  const { timeoutMs, clock, signal } = options;
  const controller = new AbortController();
  const onAbort = (): void =>
    controller.abort(new GatewayError("aborted", `${doing}: given up`, { cause: signal.reason }));
  const stopTimer = startTimeout(clock, timeoutMs, () =>
    controller.abort(new GatewayError("timed-out", `${doing}: no answer within ${timeoutMs} ms`)),
  );
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return {
    signal: controller.signal,
    bound(promise, onLate) {
      return new Promise((resolve, reject) => {
        const giveUp = (): void => {
          promise.then(onLate, () => {});
          reject(controller.signal.reason);
        };
        if (controller.signal.aborted) return giveUp();
        controller.signal.addEventListener("abort", giveUp);
        promise.then(resolve, reject).finally(() => controller.signal.removeEventListener("abort", giveUp));
      });
    },
    cancel() {
      stopTimer();
      signal.removeEventListener("abort", onAbort);
    },
  };
}
