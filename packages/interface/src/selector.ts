import type { Endpoint } from "./endpoint.js";

/** An endpoint that may be picked now. */
export interface Candidate {
  readonly endpoint: Endpoint;
  /** Connections that the gateway has to this endpoint now, those being dialled included. */
  readonly connections: number;
}

/** A policy: which endpoint takes the next connection. */
export interface Selector {
  /**
   * One of `candidates`, the very object; `undefined` only if there are none.
   *
   * Called once for each dial, synchronously, so it must be quick. The candidates are already filtered: all
   * are of the best SRV priority that has a member up, and this client has failed on none of them. The
   * array and what it holds belong to the caller: do not keep or change them (to remember an endpoint, keep
   * `candidate.endpoint`, and compare host and port).
   */
  pick(candidates: readonly Candidate[]): Candidate | undefined;
}

/**
 * What a selector package exports as its default: makes a fresh selector.
 *
 * @param options what the user wrote after the selector's name; empty when nothing was written
 */
export type SelectorFactory = (options: { readonly [key: string]: string }) => Selector;
