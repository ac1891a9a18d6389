import { inspect } from "node:util";
import type { Relay } from "@gw/interface";
import { acceptingCases } from "./relay-accepting.js";
import { Bench, type RelayCase } from "./relay-bench.js";
import { byteCases } from "./relay-bytes.js";
import { closingCases } from "./relay-closing.js";
import { crowdCases } from "./relay-crowds.js";
import { dialRaceCases } from "./relay-dial-races.js";
import { dialCases } from "./relay-dials.js";
import { vainDialCases } from "./relay-dials-in-vain.js";
import { eventCases } from "./relay-events.js";
import { halfCloseCases } from "./relay-half-close.js";
import { keepAliveCases } from "./relay-keepalive.js";
import { killCases } from "./relay-kills.js";
import { listeningCases } from "./relay-listening.js";
import { type RelayComplianceOptions, sizesOf } from "./relay-options.js";
import { processCases } from "./relay-process.js";
import { resetCases } from "./relay-resets.js";
import { slowReaderCases } from "./relay-slow-readers.js";
import { timeoutCases } from "./relay-timeouts.js";
import { type ComplianceCase, violation } from "./suite.js";
import { Surprise } from "./waiting.js";

const cases: readonly RelayCase[] = [
  ...listeningCases,
  ...acceptingCases,
  ...byteCases,
  ...halfCloseCases,
  ...resetCases,
  ...slowReaderCases,
  ...timeoutCases,
  ...keepAliveCases,
  ...dialCases,
  ...dialRaceCases,
  ...vainDialCases,
  ...closingCases,
  ...killCases,
  ...eventCases,
  ...crowdCases,
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
