import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { certificateNameFault, type Endpoint, quote } from "@gw/interface";
import type { TlsContext } from "./tls-context.js";

/** Why a server's certificate is not valid for `endpoint`; undefined if it is. */
export function certificateFault(
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  endpoint: Endpoint,
  { serverNames }: TlsContext,
): string | undefined {
  if (!certificate) return "the server showed no certificate";
  if (!socket.authorized) return chainFault(String(socket.authorizationError), certificate);
  return certificateNameFault(certificate.subjectAltName, [endpoint.host, ...serverNames]);
}

/** The sentence for OpenSSL's name of a fault (`X509_V_ERR_…`). */
function chainFault(code: string, certificate: X509Certificate): string {
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  return `${sentence?.(certificate) ?? "its certificate is not trusted"} (${code})`;
}

/** A distinguished name in one line: `CN=etcd-0, O=example`. */
export function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

type Sentence = (certificate: X509Certificate) => string;

const unknownIssuer: Sentence = ({ issuer }) =>
  `the CA that issued its certificate, ${quote(oneLine(issuer))}, is not trusted`;

/** The names are those of OpenSSL's x509_vfy.h without X509_V_ERR_, as Node passes them on. */
const sentences: { readonly [code: string]: Sentence } = {
  DEPTH_ZERO_SELF_SIGNED_CERT: () => "its certificate is signed by itself, and not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownIssuer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownIssuer,
  CERT_SIGNATURE_FAILURE: ({ issuer }) =>
    `the CA that its certificate names, ${quote(oneLine(issuer))}, did not sign it`,
  CERT_HAS_EXPIRED: ({ validTo }) =>
    Date.parse(validTo) < Date.now()
      ? `its certificate has expired, on ${day(validTo)}`
      : "a CA in the chain of its certificate has expired",
  CERT_NOT_YET_VALID: ({ validFrom }) =>
    Date.parse(validFrom) > Date.now()
      ? `its certificate is not valid before ${day(validFrom)}`
      : "a CA in the chain of its certificate is not valid yet",
  INVALID_PURPOSE: () => "its certificate is not made for servers",
};

function day(date: string): string {
  return new Date(date).toISOString().slice(0, 19).concat("Z");
}
