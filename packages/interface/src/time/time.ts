import { GatewayError } from "../error.js";
import type { Clock } from "./clock.js";
import { startTimeout } from "./timeout.js";

/** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
export function sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}

/** Resolves when `signal` is aborted; at once if it is already. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The bounds of an operation. */
export interface Limits {
  readonly clock: Clock;
  /** In milliseconds; time in which this process did not run does not count, see {@link startTimeout}. */
  readonly timeoutMs: number;
  /** Aborts the operation, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs an operation that settles once and asynchronously: by itself, by the timeout, or by the signal.
 *
 * @param begin starts the operation and returns a function that releases its resources, which is called in every case
 * @throws {GatewayError} `timed-out` after the timeout
 */
export function withTimeout<T>(
  { clock, timeoutMs, signal }: Limits,
  begin: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const cancels: (() => void)[] = [];
    const settle = (conclude: () => void): void => {
      for (const cancel of cancels.splice(0)) cancel();
      conclude();
    };
    const abort = (): void => settle(() => reject(signal?.reason));
    cancels.push(
      begin(
        value => settle(() => resolve(value)),
        error => settle(() => reject(error)),
      ),
      startTimeout(clock, timeoutMs, () =>
        settle(() => reject(new GatewayError("timed-out", `no answer within ${timeoutMs} ms`))),
      ),
      () => signal?.removeEventListener("abort", abort),
    );
    signal?.addEventListener("abort", abort);
  });
}

/** One deadline for an operation of several steps. */
export interface Deadline {
  /** Aborted at the deadline or by the signal given. Its reason is a GatewayError, `timed-out` or `aborted`. */
  readonly signal: AbortSignal;
  /** `promise`, or a rejection with the signal's reason. A result that comes later is passed to `onLate`. */
  bound<T>(promise: Promise<T>, onLate: (late: T) => void): Promise<T>;
  /** Releases the timer; to be called in every case. */
  cancel(): void;
}

/** @param operation what the errors begin with, such as `probe 10.0.0.1:2379` */
export function startDeadline(
  operation: string,
  { timeoutMs, clock, signal }: Limits & { readonly signal: AbortSignal },
): Deadline {
  const controller = new AbortController();
  const onAbort = (): void =>
    controller.abort(new GatewayError("aborted", `${operation}: given up`, { cause: signal.reason }));
  const stopTimer = startTimeout(clock, timeoutMs, () =>
    controller.abort(new GatewayError("timed-out", `${operation}: no answer within ${timeoutMs} ms`)),
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
