import { type Discovery, type Endpoint, GatewayError } from "@gw/interface";
import { union } from "./endpoint-sets.js";

/**
 * A fixed list of endpoints: `watch` yields it once and ends. Of duplicates, the first counts.
 *
 * @throws {GatewayError} `invalid-endpoint` if the list is empty
 */
export function staticEndpoints(endpoints: readonly Endpoint[]): Discovery {
  if (endpoints.length === 0) throw new GatewayError("invalid-endpoint", "the list of endpoints is empty");
  const set = Object.freeze(union([endpoints]).map(endpoint => Object.freeze({ ...endpoint })));
  return {
    async *watch({ signal, onSettled }) {
      if (signal.aborted) return;
      onSettled?.();
      yield set;
    },
  };
}
