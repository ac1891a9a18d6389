import { connectionFamilies } from "./connections.js";
import { endpointFamilies } from "./endpoints.js";
import type { Family } from "./family.js";
import { gatewayFamilies } from "./gateway.js";
import { healthFamilies } from "./health.js";

/** All that `/metrics` can have, in its order, by what it is about. */
export const metricGroups: readonly { readonly title: string; readonly families: readonly Family[] }[] = [
  { title: "Process, limits and discovery", families: gatewayFamilies },
  { title: "Endpoints", families: endpointFamilies },
  { title: "Connections", families: connectionFamilies },
  { title: "Health checks and decisions", families: healthFamilies },
];

export const metricFamilies: readonly Family[] = metricGroups.flatMap(({ families }) => families);
