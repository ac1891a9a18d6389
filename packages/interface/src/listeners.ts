import { messageOf } from "./error.js";

/** The functions that are called when something changes. */
export interface Listeners<Arguments extends readonly unknown[]> {
  /**
   * Adds a listener, which may be added several times.
   *
   * @returns takes it away again
   */
  add(listener: (...given: Arguments) => void): () => void;
  /** Calls those that are there now, in their order, synchronously. What one throws becomes a process warning. */
  call(...given: Arguments): void;
}

/** @param owner whose listeners they are, for the warning: `the pool` */
export function createListeners<Arguments extends readonly unknown[] = []>(
  owner: string,
): Listeners<Arguments> {
  const listeners = new Set<{ readonly call: (...given: Arguments) => void }>();
  return {
    add(listener) {
      const added = { call: listener };
      listeners.add(added);
      return () => void listeners.delete(added);
    },
    call(...given) {
      for (const { call } of [...listeners])
        try {
          call(...given);
        } catch (error) {
          process.emitWarning(`gw: a listener of ${owner} threw: ${messageOf(error)}`);
        }
    },
  };
}
