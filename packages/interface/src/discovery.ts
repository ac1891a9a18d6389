import type { Endpoint } from "./endpoint.js";
import type { GatewayError } from "./error.js";

/** A source of endpoints. */
export interface Discovery {
  /**
   * The whole set of endpoints: once when it is first known, and again each time it changed. Sets are
   * immutable and hold each endpoint once.
   *
   * A failed look-up never yields an empty set; the last good set stays. The iteration ends when the set can
   * never change again, or soon after `signal` is aborted (without throwing). It throws only what waiting
   * cannot mend, a `GatewayError` with a code of the configuration's. Every call is independent of the others
   * and owns its timers and sockets until its iteration has ended.
   */
  watch(options: WatchOptions): AsyncIterable<readonly Endpoint[]>;
}

/** See {@link Discovery.watch}. */
export interface WatchOptions {
  /** Ends the iteration. */
  readonly signal: AbortSignal;
  /**
   * Registers a listener that is called whenever everything should be looked up again at once, as on SIGHUP;
   * returns a function that takes the listener out again.
   */
  readonly onRefresh?: ((listener: () => void) => () => void) | undefined;
  /**
   * Called once per iteration, when the source has its first outcome: a set, or a first failure, with the error then. A
   * union has it when all its sources have. A caller takes the first set, and the end of the iteration, for it too.
   */
  readonly onSettled?: ((error?: GatewayError) => void) | undefined;
}
