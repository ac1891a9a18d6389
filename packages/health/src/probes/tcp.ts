import { checkConnection } from "@gw/etcd-client";
import type { Probe } from "@gw/interface";
import { guarded, healthy, operationOf, type ProbeOptions, probeSettings, timeoutOf } from "./probe.js";

/**
 * A probe of check `tcp`: the endpoint accepts a connection and does not end it within 300 ms, unless it has sent a byte
 * before. It detects neither a process that hangs nor a member that is cut off from its peers.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function tcpProbe(options: ProbeOptions = {}): Probe {
  const settings = probeSettings(options);
  return guarded("tcp", async (endpoint, signal, request) => {
    const limits = { timeoutMs: timeoutOf(settings, request), signal };
    await checkConnection(endpoint, { ...settings, ...limits, operation: operationOf(endpoint) });
    return healthy("tcp");
  });
}
