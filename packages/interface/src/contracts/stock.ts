import type { Address } from "../network/address.js";

/** A dial that was decided before its client came; see `RelayClient.dial`. */
export interface PlannedDial {
  /** At least one; the relay dials the first sixteen. */
  readonly addresses: readonly Address[];
  /** The timeout of each address, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Dials that wait for clients. A relay that has one accepts a client and dials for it at once, without asking first. Dials
 * are used in the order in which they were added, each for one client.
 *
 * When a backend ends its output before it has sent a byte, the next clients are asked for until the end of the connection
 * was reported, or for some seconds if its client does not end it: they must not follow one that was lost.
 */
export interface DialStock {
  /**
   * Adds dials; each may be added once.
   *
   * @returns how many were added, the first of them: fewer than given if the stock is full, which holds at least 64, or
   *   no listener that has it is open
   */
  add(dials: readonly PlannedDial[]): number;
  /** Takes out the oldest, for a client that was accepted without one. */
  take(): PlannedDial | undefined;
  /**
   * Takes out all, in their order. No client that is accepted after this call is dialled for by them. Those that are
   * missing have clients already, which are reported if they were not yet.
   */
  takeBack(): readonly PlannedDial[];
}
