import { messageOf } from "@gw/interface";

/** Functions that are called on each change. What one throws becomes a process warning. */
export class ChangeListeners<Change> {
  readonly #listeners = new Set<{ readonly call: (change: Change) => void }>();

  /** @returns a function that removes `listener` */
  add(listener: (change: Change) => void): () => void {
    // The same function may listen twice.
    const entry = { call: listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  call(change: Change): void {
    for (const { call } of [...this.#listeners])
      try {
        call(change);
      } catch (error) {
        process.emitWarning(`gw: a listener of the pool threw: ${messageOf(error)}`);
      }
  }
}
