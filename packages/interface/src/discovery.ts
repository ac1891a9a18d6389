import type { Endpoint } from "./endpoint.js";

/** A source of endpoints. */
export interface Discovery {
  /**
   * The whole set of endpoints: once when it is first known, and again each time it changed. Sets are
   * immutable and hold each endpoint once.
   *
   * A failed look-up never yields an empty set; the last good set stays. The iteration ends when the set can
   * never change again, or soon after `signal` is aborted (without throwing). Every call is independent of
   * the others and owns its timers and sockets until its iteration has ended.
   */
  watch(options: { readonly signal: AbortSignal }): AsyncIterable<readonly Endpoint[]>;
}
