import { connectionFamilies } from "./connections.js";
import { endpointFamilies } from "./endpoints.js";
import type { Family } from "./family.js";
import { gatewayFamilies } from "./gateway.js";
import { healthFamilies } from "./health.js";

/** All that `/metrics` can have, in its order. */
export const metricFamilies: readonly Family[] = [
  ...gatewayFamilies,
  ...endpointFamilies,
  ...connectionFamilies,
  ...healthFamilies,
];
