import {
  type Clock,
  type Endpoint,
  GatewayError,
  type Probe,
  sleep,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { risingDefaults } from "./defaults.js";

/** Options of {@link rising}. */
export interface RisingOptions {
  /** How many consecutive checks must succeed. @default 1 */
  readonly rise?: number | undefined;
  /** Between two of them, in milliseconds. @default 1000 */
  readonly pauseMs?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Checks an endpoint that is down until `rise` consecutive deep checks have succeeded: resolves with the last verdict then,
 * rejects with the error of the first check that fails, or when the signal is aborted.
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
    for (let successes = 1; ; successes++) {
      const verdict = await probe(endpoint, signal, { depth: "deep" });
      if (verdict.error) throw verdict.error;
      if (successes === rise) return verdict;
      await sleep(pauseMs, clock, signal);
      if (signal.aborted)
        throw new GatewayError("aborted", "given up between two checks", { cause: signal.reason });
    }
  };
}
