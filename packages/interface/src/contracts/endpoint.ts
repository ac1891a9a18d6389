import type { Address } from "../network/address.js";

/**
 * One server that a gateway may forward to.
 *
 * It has the fields of a DNS SRV record (RFC 2782), whatever its source. Endpoints are immutable. Two endpoints with the
 * same host and port are the same endpoint, whatever their other fields. A host that ends in a dot is an absolute DNS name, as SRV targets are.
 */
export interface Endpoint extends Address {
  /** SRV priority, 0 to 65535: a lower number is tried first. Static endpoints have 0. */
  readonly priority: number;
  /** SRV weight, 0 to 65535: the share among endpoints of one priority. Static endpoints have 0. */
  readonly weight: number;
  /** Whether its source specifies TLS (`https://`, `_etcd-client-ssl`) or plain text; absent if it specifies neither. */
  readonly secure?: boolean;
}

/** Whether two endpoints are the same: host and port are equal, whether or not the host ends in a dot. */
export function sameEndpoint(a: Address, b: Address): boolean {
  if (a.port !== b.port) return false;
  if (a.host === b.host) return true;
  // Policies compare thousands of endpoints for one pick, so no strings are built for hosts of other lengths.
  const longer = a.host.length - b.host.length;
  if (longer === 1) return a.host === `${b.host}.`;
  return longer === -1 && `${a.host}.` === b.host;
}
