import { type Clock, GatewayError, startTimeout } from "@gw/interface";

/** What bounds a piece of work. */
export interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Gives the work up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs work that settles once, later than at once: by itself, when the time is up, or when it is aborted. The
 * function that `begin` returns is called in every case, and releases what the work holds.
 *
 * @throws {GatewayError} `timed-out` when the time is up
 */
export function within<T>(
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
