import { inspect } from "node:util";
import type { Relay } from "@gw/interface";
import { type ComplianceCase, violation } from "../suite.js";
import { Bench, type RelayCase } from "../test-support/harness.js";
import { Surprise } from "../test-support/waitable.js";
import { backpressureCases } from "./backpressure.js";
import { byteCases } from "./bytes.js";
import { abortCases, closingCases } from "./close-and-abort.js";
import { dialRaceCases } from "./dial-races.js";
import { cancelledDialCases, dialCases } from "./dials.js";
import { eventCases } from "./events.js";
import { halfCloseCases, resetCases } from "./half-close-and-reset.js";
import { acceptingCases, listeningCases } from "./listening.js";
import { manyConnectionsCases } from "./many-connections.js";
import { type RelayComplianceOptions, sizesOf } from "./options.js";
import { processCases } from "./process.js";
import { keepAliveCases, timeoutCases } from "./timeouts.js";

const cases: readonly RelayCase[] = [
  ...listeningCases,
  ...acceptingCases,
  ...byteCases,
  ...halfCloseCases,
  ...resetCases,
  ...backpressureCases,
  ...timeoutCases,
  ...keepAliveCases,
  ...dialCases,
  ...dialRaceCases,
  ...cancelledDialCases,
  ...closingCases,
  ...abortCases,
  ...eventCases,
  ...manyConnectionsCases,
];

/**
 * What every relay must do, over real sockets of the loopback device. Run the cases one after the other; those
 * that this machine cannot try (no IPv6, no `/proc`) are left out.
 *
 * @param make a relay for each case; what it throws fails the case that asked for it
 */
export function relayCompliance(
  make: () => Relay | Promise<Relay>,
  options: RelayComplianceOptions = {},
): readonly ComplianceCase[] {
  const { factory, ...sizes } = options;
  return [...cases, ...(factory ? processCases(factory) : [])]
    .filter(({ possible = true }) => possible)
    .map(({ name, contract, check }) => ({
      name,
      async run() {
        const bench = new Bench(await make(), sizesOf(sizes));
        try {
          await judged(contract, () => check(bench));
        } catch (error) {
          // What went wrong first is told, though closing may fail as well.
          await bench.close().catch(() => {});
          throw error;
        }
        await bench.close();
      },
    }));
}

async function judged(contract: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    const seen = error instanceof Surprise ? error.message : `${inspect(error, { depth: 0 })} was thrown`;
    throw violation(contract, seen, error);
  }
}
