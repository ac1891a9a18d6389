import { GatewayError, messageOf, notify, type Observer, type Selector } from "@gw/interface";
import { viewPickOf } from "./candidate-view.js";
import { memberOf, type PoolEntry } from "./member.js";
import type { Offer } from "./tiers.js";

/** Asks a selector, and takes one at random where it fails: a bad policy must not stop the service. */
export class Picker {
  readonly #selector: Selector;
  readonly #observer: Observer | undefined;
  readonly #pickFromView: ReturnType<typeof viewPickOf>;
  #failing = false;

  constructor(selector: Selector, observer: Observer | undefined) {
    this.#selector = selector;
    this.#pickFromView = viewPickOf(selector);
    this.#observer = observer;
  }

  /** One of those offered; undefined only if nothing is. */
  pick(offer: Offer): PoolEntry | undefined {
    const { view } = offer.choice;
    if (view.length === 0) return undefined;
    try {
      const choice: unknown = this.#pickFromView
        ? this.#pickFromView(view)
        : this.#selector.pick(offer.choice.candidates());
      const member = memberOf(choice);
      // A selector that is async in spite of its contract fails here; that it also rejects is nothing more.
      if (choice instanceof Promise) choice.catch(() => {});
      if (!member || !offer.includes(member))
        throw new Error("it returned something other than one of the candidates");
      this.#failing = false;
      return member;
    } catch (error) {
      this.#sayFailed(error);
      return memberOf(view.at(Math.floor(Math.random() * view.length)));
    }
  }

  /** Says it once, until the selector has worked again. */
  #sayFailed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const detail = `the selector failed: ${messageOf(error)}`;
    notify(this.#observer, "selectorFailed", {
      error: new GatewayError("selector-failed", detail, { cause: error }),
    });
  }
}
