import {
  type Clock,
  type Endpoint,
  GatewayError,
  type Probe,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { risingDefaults } from "./defaults.js";

/** Options of {@link rising}. */
export interface RisingOptions {
  /** How many good looks in a row it takes. @default 1 */
  readonly rise?: number | undefined;
  /** Between two of them, in milliseconds. @default 1000 */
  readonly pauseMs?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Asks an endpoint that was set aside to be well `rise` times in a row: resolves with the last verdict when it was,
 * rejects with the error of the first that says otherwise, or when the signal is aborted.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function rising(
  probe: Probe,
  options: RisingOptions = {},
): (endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict> {
  const { rise = risingDefaults.rise, pauseMs = risingDefaults.pauseMs, clock = systemClock } = options;
  if (!(Number.isInteger(rise) && rise >= 1))
    throw new GatewayError("invalid-option", `rise ${rise} is not a whole number from 1`);
  return async (endpoint, signal) => {
    for (let look = 1; ; look++) {
      const verdict = await probe(endpoint, signal);
      if (verdict.error) throw verdict.error;
      if (look === rise) return verdict;
      await pause(pauseMs, clock, signal);
    }
  };
}

function pause(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      cancel();
      reject(new GatewayError("aborted", "given up between two looks", { cause: signal.reason }));
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    });
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
  });
}
