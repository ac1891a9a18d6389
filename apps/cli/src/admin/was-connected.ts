import type { Status } from "@gw/admin";

/** Whether a client has been connected to an endpoint since the start of the gateway. */
export function wasConnected({ inUse, endpoints, connections, lastFailover }: Status): boolean {
  return (
    inUse !== undefined ||
    lastFailover !== undefined ||
    endpoints.some(({ totals }) => totals.connected > 0) ||
    // Also where the endpoint has left the set.
    (connections.dialCounts.at(-1) ?? 0) > 0
  );
}
