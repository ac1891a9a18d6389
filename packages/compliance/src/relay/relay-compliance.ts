import { inspect } from "node:util";
import type { Relay } from "@gw/interface";
import { type ComplianceCase, violation } from "../suite.js";
import { Harness, type RelayCase } from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";
import { abandonedWaitCases } from "./abandoned-waits.js";
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
import { pauseCases, processCases } from "./process.js";
import { inheritedCases, pathCases } from "./sockets.js";
import { stallCases } from "./stalls.js";
import { stockCases } from "./stock.js";
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
 * What every relay must do, over real sockets of the loopback device. Run the cases one after the other. Cases
 * that this machine cannot run (no IPv6, no `/proc`) are left out.
 *
 * @param make returns a relay for each case; what it throws fails the case that called it
 */
export function relayCompliance(
  make: () => Relay | Promise<Relay>,
  options: RelayComplianceOptions = {},
): readonly ComplianceCase[] {
  const { factory, reportsStalls = true, hasStock = false, takesSockets = false, ...sizes } = options;
  const ofProcess = factory
    ? [
        ...processCases(factory),
        ...(reportsStalls ? pauseCases(factory) : []),
        ...(takesSockets ? inheritedCases(factory) : []),
      ]
    : [];
  const optional = [
    ...(reportsStalls ? [...stallCases, ...abandonedWaitCases] : []),
    ...(hasStock ? stockCases : []),
    ...(takesSockets ? pathCases : []),
  ];
  return [...cases, ...optional, ...ofProcess]
    .filter(({ possible = true }) => possible)
    .map(({ name, contract, check }) => ({
      name,
      async run() {
        const harness = new Harness(await make(), sizesOf(sizes));
        try {
          await asViolation(contract, () => check(harness));
        } catch (error) {
          // The first error is reported, though closing may fail as well.
          await harness.close().catch(() => {});
          throw error;
        }
        await harness.close();
      },
    }));
}

async function asViolation(contract: string, check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    const seen = error instanceof Mismatch ? error.message : `${inspect(error, { depth: 0 })} was thrown`;
    throw violation(contract, seen, error);
  }
}
