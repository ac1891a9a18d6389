import type { Address } from "./address.js";

/**
 * One server that a gateway may forward to.
 *
 * The shape is that of a DNS SRV record (RFC 2782), so that every source of endpoints speaks the same
 * language. Endpoints are immutable. Two endpoints with the same host and port are the same endpoint,
 * whatever else they say. A host that ends in a dot is an absolute DNS name, as SRV targets are.
 */
export interface Endpoint extends Address {
  /** SRV priority, 0 to 65535: a lower number is tried first. Static endpoints have 0. */
  readonly priority: number;
  /** SRV weight, 0 to 65535: the share among endpoints of one priority. Static endpoints have 0. */
  readonly weight: number;
  /** Whether the source said TLS (`https://`, `_etcd-client-ssl`) or plain text; absent when it did not say. */
  readonly secure?: boolean;
}

/** Whether two endpoints are the same: host and port are equal, whether or not the host ends in a dot. */
export function sameEndpoint(a: Address, b: Address): boolean {
  if (a.port !== b.port) return false;
  if (a.host === b.host) return true;
  // Policies compare thousands of endpoints for one pick, so that no text is made of hosts that differ anyway.
  const longer = a.host.length - b.host.length;
  if (longer === 1) return a.host === `${b.host}.`;
  return longer === -1 && `${a.host}.` === b.host;
}
