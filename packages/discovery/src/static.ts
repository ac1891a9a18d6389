import { type Discovery, type Endpoint, GatewayError } from "@gw/interface";

/**
 * The endpoints that the user listed. The set never changes: `watch` yields it once and ends.
 *
 * @throws {GatewayError} `invalid-endpoint` if the list is empty
 */
export function staticEndpoints(endpoints: readonly Endpoint[]): Discovery {
  if (endpoints.length === 0) throw new GatewayError("invalid-endpoint", "the list of endpoints is empty");
  const set = Object.freeze([...endpoints]);
  return {
    async *watch({ signal }) {
      if (!signal.aborted) yield set;
    },
  };
}
