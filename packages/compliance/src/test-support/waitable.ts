/** What was seen in place of what a case demands. The suite makes a violation of it. */
export class Surprise extends Error {}

/** Something whose changes are waited for, never for longer than `limitMs` without any. */
export class Changing {
  readonly limitMs: number;
  readonly #waiting = new Set<() => void>();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** To be called after each change. */
  changed(): void {
    for (const look of [...this.#waiting]) look();
  }

  /**
   * Resolves with what `value` returns as soon as that is not undefined.
   *
   * @param value looked at now and after each change; what it throws rejects the promise
   * @param missing says what is waited for, and how things are, when nothing has changed for `limitMs`
   */
  until<Value>(value: () => Value | undefined, missing: () => string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const late = (): void =>
        done(() => reject(new Surprise(`${missing()}, and nothing happened for ${this.limitMs} ms`)));
      const timer = setTimeout(late, this.limitMs);
      const look = (): void => {
        try {
          const found = value();
          if (found === undefined) timer.refresh();
          else done(() => resolve(found));
        } catch (error) {
          done(() => reject(error));
        }
      };
      this.#waiting.add(look);
      look();
    });
  }
}
