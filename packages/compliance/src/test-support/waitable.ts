/** Says what was seen in place of what a case demands. The suite turns it into a violation. */
export class Mismatch extends Error {}

/** An object whose changes cases wait for. A wait fails after `limitMs` without any change. */
export class Waitable {
  readonly limitMs: number;
  readonly #checks = new Set<() => void>();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Subclasses call it after each change. */
  changed(): void {
    for (const check of [...this.#checks]) check();
  }

  /**
   * Resolves with what `value` returns as soon as that is not undefined.
   *
   * @param value called now and after each change; what it throws rejects the promise
   * @param missing describes what is waited for and the current state, for the error after `limitMs` without a change
   */
  until<Value>(value: () => Value | undefined, missing: () => string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#checks.delete(check);
        settle();
      };
      const late = (): void =>
        done(() => reject(new Mismatch(`${missing()}, and nothing happened for ${this.limitMs} ms`)));
      const timer = setTimeout(late, this.limitMs);
      const check = (): void => {
        try {
          const found = value();
          if (found === undefined) timer.refresh();
          else done(() => resolve(found));
        } catch (error) {
          done(() => reject(error));
        }
      };
      this.#checks.add(check);
      check();
    });
  }
}
