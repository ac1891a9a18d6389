import { GatewayError, messageOf, notify, type Observer, type Selector } from "@gw/interface";
import type { Member } from "./member.js";
import type { Offer } from "./offer.js";

/** Asks a selector, and takes one at random where it fails: a bad policy must not stop the service. */
export class Picker {
  readonly #selector: Selector;
  readonly #observer: Observer | undefined;
  #failing = false;

  constructor(selector: Selector, observer: Observer | undefined) {
    this.#selector = selector;
    this.#observer = observer;
  }

  /** One of those offered; undefined only if nothing is. */
  pick(offer: Offer): Member | undefined {
    if (offer.candidates.length === 0) return undefined;
    try {
      const choice: unknown = this.#selector.pick(offer.candidates);
      const member = offer.memberOf(choice);
      // A selector that is async in spite of its contract fails here; that it also rejects is nothing more.
      if (choice instanceof Promise) choice.catch(() => {});
      if (!member) throw new Error("it returned something other than one of the candidates");
      this.#failing = false;
      return member;
    } catch (error) {
      this.#sayFailed(error);
      return offer.memberOf(offer.candidates[Math.floor(Math.random() * offer.candidates.length)]);
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
