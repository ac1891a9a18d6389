import { GatewayError, type Probe } from "@gw/interface";
import { connecting } from "./connecting.js";
import { type ProbeOptions, probeSettings, probing } from "./probing.js";
import { type TlsOptions, tlsSide } from "./tls-side.js";
import { wellByHandshake } from "./verdict.js";

/**
 * A probe of level `tls`: the endpoint completes a TLS handshake, with a good certificate if `ca` says what is good.
 * A server that wants another client certificate than this side has is well: it has answered.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function tlsHealthProbe(options: ProbeOptions & TlsOptions = {}): Probe {
  const settings = probeSettings(options);
  const tls = tlsSide(options);
  return probing("tls", async (endpoint, signal) => {
    try {
      return await connecting(endpoint, tls, { ...settings, signal });
    } catch (error) {
      if (error instanceof GatewayError && error.code === "certificate-refused")
        return wellByHandshake(error);
      throw error;
    }
  });
}
