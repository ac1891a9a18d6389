import type { Address, Discovery } from "@gw/interface";
import type { ComplianceCase } from "../suite.js";
import { endingCases } from "./endings.js";
import { changeCases, setCases } from "./sets.js";
import { type CheckedWatch, watch } from "./watch.js";

export const defaultLimitMs = 10_000;

/** Options of {@link discoveryCompliance}. */
export interface DiscoveryComplianceOptions {
  /** Makes a discovery that finds at least one endpoint. Each case makes one, and may watch it more than once. */
  readonly make: () => Discovery | Promise<Discovery>;
  /**
   * Changes the set of the discovery that `make` returned last, say by rewriting its file. Called repeatedly; each
   * call must cause a set that differs from the one before. @default the set never changes: no case about changes
   */
  readonly change?: (() => void | Promise<void>) | undefined;
  /** All endpoints before the first call of `change`, in any order. @default not compared */
  readonly endpoints?: readonly Address[] | undefined;
  /** How long a watch may take until it yields or ends, in milliseconds. @default 10000 */
  readonly limitMs?: number | undefined;
}

/**
 * What every discovery must do, whatever its source is. Run the cases one after the other. No case sleeps to see that
 * nothing happens, so a set that is yielded again without a change is noticed only before the next change.
 */
export function discoveryCompliance(options: DiscoveryComplianceOptions): readonly ComplianceCase[] {
  const { make, change, endpoints, limitMs = defaultLimitMs } = options;
  const cases = [...setCases, ...(change ? changeCases : []), ...endingCases];
  return cases.map(({ name, check }) => ({
    name,
    async run() {
      const discovery = await make();
      const watches: CheckedWatch[] = [];
      try {
        await check({
          watch(controller) {
            const watched = watch(discovery, limitMs, controller);
            watches.push(watched);
            return watched;
          },
          change: async () => change?.(),
          changes: change !== undefined,
          endpoints,
        });
      } finally {
        for (const watched of watches) watched.abort();
      }
    },
  }));
}
