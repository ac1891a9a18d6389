import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { certificateNameFault, type Endpoint, GatewayError, messageOf, quote } from "@gw/interface";

/** Why a server's certificate is not good; undefined if it is. */
export function serverFault(
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  { endpoint, serverNames }: { readonly endpoint: Endpoint; readonly serverNames: readonly string[] },
): string | undefined {
  if (!certificate) return "the server showed no certificate";
  if (!socket.authorized) return certificateFault(String(socket.authorizationError), certificate);
  return certificateNameFault(certificate.subjectAltName, [endpoint.host, ...serverNames]);
}

/** What is wrong with a certificate, in words, from the name that OpenSSL has for it (`X509_V_ERR_…`). */
function certificateFault(code: string, certificate: X509Certificate): string {
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

/**
 * Why a connection failed, from OpenSSL's reason or Node's errno.
 *
 * @param error undefined where the server hung up
 * @param afterwards whether this side's handshake was over
 */
export function handshakeFailure(doing: string, error: unknown, afterwards: boolean): GatewayError {
  const reason = reasonOf(error);
  const failed = (code: "untrusted" | "certificate-refused" | "reset", what: string): GatewayError =>
    new GatewayError(code, `${doing}: ${what}${reason ? ` (${reason})` : ""}`, { cause: error });
  if (reason?.endsWith("alert handshake failure"))
    return failed("certificate-refused", "the server refuses, as one may that wants a client certificate");
  if (reason && refusals.test(reason))
    return failed("certificate-refused", "the server wants a client certificate, or another one");
  if (reason && notTls.test(reason)) return failed("untrusted", "the server does not speak TLS");
  if (reason) return failed("untrusted", "no TLS handshake is possible");
  if (error !== undefined && !isHangUp(error)) return GatewayError.from(error, doing);
  return failed(
    "reset",
    afterwards
      ? "the server hung up after the handshake, as one may that refuses the client certificate"
      : "the server hung up during the handshake",
  );
}

/** Alerts about certificates (RFC 8446, 6.2). */
const refusals =
  /alert (?:(?:bad|unsupported|no) certificate|certificate (?:revoked|expired|unknown|required)|unknown ca|access denied)/i;

const notTls =
  /wrong version number|packet length too long|http request|https proxy request|bad record type/i;

/** OpenSSL's words, in which Node's versions differ in where they put them. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("reason" in error && typeof error.reason === "string") return error.reason;
  const inMessage = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(messageOf(error))?.[1];
  const { code } = error as NodeJS.ErrnoException;
  return inMessage ?? (code === "EPROTO" || code?.startsWith("ERR_SSL_") ? messageOf(error) : undefined);
}

function isHangUp(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}
