import type { RelaySettings } from "@gw/interface";
import type { Faults } from "./faults.js";

type Side = "client" | "backend";

/** The timeouts of one connection of the reference relay. */
export class Patience {
  readonly #settings: RelaySettings;
  readonly #faults: Faults;
  readonly #onTimeout: () => void;
  readonly #stuck: { [side in Side]?: NodeJS.Timeout } = {};
  #silence: NodeJS.Timeout | undefined;
  #half = false;

  constructor(settings: RelaySettings, faults: Faults, onTimeout: () => void) {
    this.#settings = settings;
    this.#faults = faults;
    this.#onTimeout = onTimeout;
  }

  /** A byte came, or an end. */
  hear(half: boolean): void {
    const { idleTimeoutMs, halfCloseTimeoutMs } = this.#settings;
    if (this.#silence && half === this.#half && this.#faults.has("times out in spite of traffic")) return;
    this.#half = half;
    clearTimeout(this.#silence);
    const asHalf = half || (this.#faults.has("times out as half-closed what is open") && idleTimeoutMs === 0);
    const timeoutMs = asHalf ? halfCloseTimeoutMs : idleTimeoutMs;
    this.#silence = timeoutMs > 0 ? this.#after(timeoutMs) : undefined;
  }

  /** Bytes wait for `side`. */
  gave(side: Side): void {
    const { writeTimeoutMs } = this.#settings;
    if (writeTimeoutMs > 0) this.#stuck[side] ??= this.#after(writeTimeoutMs);
  }

  /** `side` has taken bytes; do others wait? */
  took(side: Side, more: boolean): void {
    if (this.#faults.has("times out as stuck what is slow")) return;
    clearTimeout(this.#stuck[side]);
    delete this.#stuck[side];
    if (more) this.gave(side);
  }

  end(): void {
    for (const timer of [this.#silence, this.#stuck.client, this.#stuck.backend]) clearTimeout(timer);
  }

  #after(delayMs: number): NodeJS.Timeout {
    const onTimeout = this.#faults.has("has no timeouts") ? () => {} : this.#onTimeout;
    return setTimeout(onTimeout, this.#faults.has("times out early") ? delayMs / 2 : delayMs);
  }
}
