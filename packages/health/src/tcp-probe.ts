import type { Probe } from "@gw/interface";
import { connecting } from "./connecting.js";
import { type ProbeOptions, probeSettings, probing } from "./probing.js";

/**
 * A probe of level `tcp`: the endpoint accepts a connection, which is closed at once. It cannot see a process that
 * hangs, nor a member that is cut off from its peers.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function tcpProbe(options: ProbeOptions = {}): Probe {
  const settings = probeSettings(options);
  return probing("tcp", (endpoint, signal) => connecting(endpoint, undefined, { ...settings, signal }));
}
