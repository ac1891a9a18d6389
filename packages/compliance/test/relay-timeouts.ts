import type { RelaySettings } from "@gw/interface";
import type { Faults } from "./faults.js";

type Side = "client" | "backend";

/** The timeouts of one connection of the reference relay. */
export class Timeouts {
  readonly #settings: RelaySettings;
  readonly #faults: Faults;
  readonly #onTimeout: () => void;
  readonly #writeTimers: { [side in Side]?: NodeJS.Timeout } = {};
  #idleTimer: NodeJS.Timeout | undefined;
  #halfClosed = false;

  constructor(settings: RelaySettings, faults: Faults, onTimeout: () => void) {
    this.#settings = settings;
    this.#faults = faults;
    this.#onTimeout = onTimeout;
  }

  /** A byte arrived, or an end of input. */
  resetIdleTimer(half: boolean): void {
    const { idleTimeoutMs, halfCloseTimeoutMs } = this.#settings;
    if (this.#idleTimer && half === this.#halfClosed && this.#faults.has("times out in spite of traffic"))
      return;
    this.#halfClosed = half;
    clearTimeout(this.#idleTimer);
    const asHalf =
      half || (this.#faults.has("applies the half-close timeout to open connections") && idleTimeoutMs === 0);
    const timeoutMs = asHalf ? halfCloseTimeoutMs : idleTimeoutMs;
    this.#idleTimer = timeoutMs > 0 ? this.#after(timeoutMs) : undefined;
  }

  /** Bytes are pending for `side`. */
  bytesPending(side: Side): void {
    const { writeTimeoutMs } = this.#settings;
    if (writeTimeoutMs > 0) this.#writeTimers[side] ??= this.#after(writeTimeoutMs);
  }

  /** `side` has taken bytes; `more` are pending. */
  bytesTaken(side: Side, more: boolean): void {
    if (this.#faults.has("times out slow readers")) return;
    clearTimeout(this.#writeTimers[side]);
    delete this.#writeTimers[side];
    if (more) this.bytesPending(side);
  }

  clear(): void {
    for (const timer of [this.#idleTimer, this.#writeTimers.client, this.#writeTimers.backend])
      clearTimeout(timer);
  }

  #after(delayMs: number): NodeJS.Timeout {
    const onTimeout = this.#faults.has("has no timeouts") ? () => {} : this.#onTimeout;
    return setTimeout(onTimeout, this.#faults.has("times out early") ? delayMs / 2 : delayMs);
  }
}
