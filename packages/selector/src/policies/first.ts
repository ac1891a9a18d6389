import type { Selector } from "@gw/interface";
import { always, viewing } from "./candidate-view.js";

/**
 * All connections go to the first endpoint of the order given that is up; once it is up again, new ones return to it.
 *
 * Use it when one endpoint is nearer or stronger than the others, which are its standbys. SRV priorities do the same in
 * DNS, for any policy.
 */
export function first(): Selector {
  return viewing(candidates => candidates.at(0), { picksAhead: always });
}
