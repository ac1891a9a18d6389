import type { Socket } from "node:net";
import type { Clock, RelaySettings } from "@gw/interface";
import { Ticker, type Ticking } from "./ticker.js";

/** Within this time it is enabled, in milliseconds. Probes start no sooner than after a second. */
const enabledWithinMs = 1_000;

/**
 * Enables TCP keepalive on the sockets of a listener. Each takes several system calls, of which connections that last
 * for less than a second are spared most: they wait for a tick. The system counts from the last traffic all the same.
 */
export class KeepAlive {
  readonly #settings: RelaySettings;
  readonly #ticker: Ticker;

  constructor(settings: RelaySettings, clock: Clock) {
    this.#settings = settings;
    this.#ticker = new Ticker(clock);
  }

  /** Ticks `waiting`, which is to call {@link enable} then, within a second; never if keepalive is off. */
  add(waiting: Ticking): void {
    if (this.#settings.keepAliveDelayMs > 0) this.#ticker.add(waiting, enabledWithinMs);
  }

  delete(waiting: Ticking): void {
    this.#ticker.delete(waiting);
  }

  /** @param socket that is connected */
  enable(socket: Socket): void {
    const { keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes } = this.#settings;
    const set: SetKeepAlive = socket.setKeepAlive;
    set.call(
      socket,
      true,
      wholeSecondsMs(keepAliveDelayMs),
      wholeSecondsMs(keepAliveIntervalMs),
      keepAliveProbes || undefined,
    );
  }
}

/** Interval and probes are for Node 24.19 and later; others have 1 s and 10 built in, and ignore the arguments. */
type SetKeepAlive = (
  enable: boolean,
  delayMs: number | undefined,
  intervalMs: number | undefined,
  probes: number | undefined,
) => void;

/** The system counts in whole seconds, and Node would round down. */
function wholeSecondsMs(ms: number): number | undefined {
  return ms === 0 ? undefined : Math.ceil(ms / 1_000) * 1_000;
}
