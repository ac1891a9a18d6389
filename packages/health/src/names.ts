import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { type Address, quote } from "@gw/interface";

/**
 * What is wrong with the names in a certificate; undefined if it is for the endpoint's host, or for one of
 * `serverNames`. As in Go, only subject alternative names count, and a wildcard stands for one whole label.
 */
export function nameFault(
  certificate: X509Certificate,
  endpoint: Address,
  serverNames: readonly string[],
): string | undefined {
  const names = [endpoint.host, ...serverNames].map(plain);
  if (names.some(name => isFor(certificate, name))) return undefined;
  const wanted = names.map(quote).join(" or ");
  const carried = certificate.subjectAltName;
  return carried === undefined
    ? `its certificate names nobody (no subject alternative names), so not ${wanted}`
    : `its certificate is not for ${wanted}, but for ${quote(carried)}`;
}

/** The name to send in the handshake (SNI); empty, for none, where only IP addresses are known. */
export function nameToSend(endpoint: Address, serverNames: readonly string[]): string {
  return [endpoint.host, ...serverNames].map(plain).find(name => !isIP(name)) ?? "";
}

function isFor(certificate: X509Certificate, name: string): boolean {
  if (isIP(name)) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject: "never", partialWildcards: false }) !== undefined;
}

/** As certificates have it: names without the dot at their end, addresses without zone and not mapped to IPv6. */
function plain(host: string): string {
  return isIP(host)
    ? host.replace(/%.*$/s, "").replace(/^::ffff:(?=\d+\.)/i, "")
    : host.replace(/\.$/, "").toLowerCase();
}
