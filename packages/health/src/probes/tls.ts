import { checkConnection } from "@gw/etcd-client";
import { GatewayError, type Probe } from "@gw/interface";
import {
  guarded,
  healthy,
  healthyByHandshake,
  operationOf,
  type ProbeOptions,
  type ProbeTlsOptions,
  probeSettings,
  probeTls,
  timeoutOf,
} from "./probe.js";

/**
 * A probe of check `tls`: the endpoint completes a TLS handshake, with a valid certificate if `ca` is given. A server that
 * demands another client certificate than this side has is healthy: it has answered.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function tlsProbe(options: ProbeOptions & ProbeTlsOptions = {}): Probe {
  const settings = probeSettings(options);
  const tls = probeTls(options);
  return guarded("tls", async (endpoint, signal, request) => {
    try {
      const limits = { timeoutMs: timeoutOf(settings, request), signal };
      await checkConnection(endpoint, { ...settings, ...limits, tls, operation: operationOf(endpoint) });
      return healthy("tls");
    } catch (error) {
      if (error instanceof GatewayError && error.code === "certificate-refused")
        return healthyByHandshake(error);
      throw error;
    }
  });
}
