import type { GatewayError } from "../error.js";
import type { Endpoint } from "./endpoint.js";

/** A source of endpoints. */
export interface Discovery {
  /**
   * Yields the whole set of endpoints: once when it is first known, and again each time it has changed. Sets are immutable
   * and contain each endpoint once.
   *
   * A failed look-up never yields an empty set; the last good set stays. The iteration ends when the set can never change
   * again, or soon after `signal` is aborted (without throwing). It throws only errors that do not go away by waiting: a
   * `GatewayError` with a code of the configuration's (`invalid-…`). Every call is independent of the others, and owns its
   * timers and sockets until its iteration has ended.
   */
  watch(options: WatchOptions): AsyncIterable<readonly Endpoint[]>;
}

/** See {@link Discovery.watch}. */
export interface WatchOptions {
  /** Ends the iteration. */
  readonly signal: AbortSignal;
  /**
   * Registers a listener that is called when everything should be looked up again now, as on SIGHUP; returns a function
   * that removes the listener.
   */
  readonly onRefresh?: ((listener: () => void) => () => void) | undefined;
  /**
   * Called once per iteration, when the source has its first outcome: without an error for a set, with it for a failure. A
   * union has its outcome when all its sources have theirs. To a caller, the first set and the end of the iteration count as
   * the outcome as well.
   */
  readonly onSettled?: ((error?: GatewayError) => void) | undefined;
}
