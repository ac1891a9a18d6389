import { type Discovery, type Endpoint, GatewayError, type WatchOptions } from "@gw/interface";

type OnSettled = NonNullable<WatchOptions["onSettled"]>;

/** A fault of the configuration, which waiting cannot mend. */
export function isConfigurationError(error: GatewayError): boolean {
  return error.code.startsWith("invalid-");
}

/** Calls `onSettled` with the first outcome that is reported, and ignores all others. */
export function settleOnce(onSettled: WatchOptions["onSettled"]): OnSettled {
  let isSettled = false;
  return error => {
    if (isSettled) return;
    isSettled = true;
    onSettled?.(error);
  };
}

/**
 * One listener for each of `count` sources that settle together: `onSettled` is called once all of them are settled,
 * with the first error if none of them has a set. A fault of the configuration does not wait for the others.
 */
export function settleTogether(count: number, onSettled: WatchOptions["onSettled"]): readonly OnSettled[] {
  const settle = settleOnce(onSettled);
  let pending = count;
  let hasSet = false;
  let firstError: GatewayError | undefined;
  if (count === 0) settle();
  return Array.from({ length: count }, () => {
    const settleSource = settleOnce(error => {
      pending -= 1;
      firstError ??= error;
      hasSet ||= !error;
      if (pending === 0) settle(hasSet ? undefined : firstError);
    });
    return error => {
      if (error && isConfigurationError(error)) settle(error);
      settleSource(error);
    };
  });
}

/**
 * Watches `source`, and reports an outcome also for one that does not call `onSettled` itself: its first set, its end,
 * or what it throws.
 */
export async function* watchSettling(
  source: Discovery,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const { onSettled } = request;
  if (!onSettled) return yield* source.watch(request);
  try {
    for await (const set of source.watch(request)) {
      onSettled();
      yield set;
    }
    onSettled();
  } catch (cause) {
    onSettled(GatewayError.from(cause, "discovery"));
    throw cause;
  }
}
