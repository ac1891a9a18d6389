import type { Address, Discovery } from "@gw/interface";
import type { ComplianceCase } from "../suite.js";
import { endingCases } from "./endings.js";
import { changeCases, setCases } from "./sets.js";
import { type Watched, watch } from "./watch.js";

export const defaultLimitMs = 10_000;

/** Options of {@link discoveryCompliance}. */
export interface DiscoveryComplianceOptions {
  /** A discovery that finds at least one endpoint. Each case makes its own, and watches it more than once. */
  readonly make: () => Discovery | Promise<Discovery>;
  /**
   * Makes the set of endpoints another one for the discovery that `make` returned last: rewrites the file,
   * answers the next query differently. Called repeatedly; each call must lead to another set than before it.
   * Leave it out where a set never changes; what is demanded of changes is then not tried.
   */
  readonly change?: (() => void | Promise<void>) | undefined;
  /** All endpoints that are found before `change` is called, in any order. @default not compared */
  readonly endpoints?: readonly Address[] | undefined;
  /** How long a discovery may take until it yields or ends, in milliseconds. @default 10000 */
  readonly limitMs?: number | undefined;
}

/**
 * What every discovery must do, wherever its endpoints come from. Run the cases one after the other. Nothing
 * is waited for to see that it does not come, so a set that is yielded again although nothing changed is
 * noticed only if it comes before the change that is asked for.
 */
export function discoveryCompliance(options: DiscoveryComplianceOptions): readonly ComplianceCase[] {
  const { make, change, endpoints, limitMs = defaultLimitMs } = options;
  const cases = [...setCases, ...(change ? changeCases : []), ...endingCases];
  return cases.map(({ name, check }) => ({
    name,
    async run() {
      const discovery = await make();
      const watches: Watched[] = [];
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
