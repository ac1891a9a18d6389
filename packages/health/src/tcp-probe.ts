import type { Probe } from "@gw/interface";
import { connecting } from "./connecting.js";
import { type ProbeOptions, probeSettings, probing } from "./probing.js";

/**
 * A probe of level `tcp`: the endpoint accepts a connection and does not end it within 300 ms, unless it has sent a byte
 * before. It cannot see a process that hangs, nor a member that is cut off from its peers.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function tcpProbe(options: ProbeOptions = {}): Probe {
  const settings = probeSettings(options);
  return probing("tcp", (endpoint, signal) => connecting(endpoint, undefined, { ...settings, signal }));
}
