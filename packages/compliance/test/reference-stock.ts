import type { DialStock, PlannedDial } from "@gw/interface";
import type { Faults } from "./faults.js";

/** The stock of the reference relay, which accepts clients on the thread of its caller. */
export class ReferenceStock implements DialStock {
  readonly #faults: Faults;
  #dials: PlannedDial[] = [];

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  add(dials: readonly PlannedDial[]): number {
    this.#dials.push(...dials);
    return this.#faults.has("adds fewer dials than it says") ? dials.length - 1 : dials.length;
  }

  take(): PlannedDial | undefined {
    return this.#faults.has("keeps dials that were taken out") ? this.#dials[0] : this.#dials.shift();
  }

  takeBack(): readonly PlannedDial[] {
    const dials = this.#dials;
    this.#dials = this.#faults.has("dials by what was taken back") ? [...dials] : [];
    return dials;
  }

  /** The dial for a client that was accepted. */
  forClient(): PlannedDial | undefined {
    return this.#faults.has("uses the newest dial") ? this.#dials.pop() : this.#dials.shift();
  }
}
