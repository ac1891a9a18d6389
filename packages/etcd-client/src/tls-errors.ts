import { GatewayError, messageOf } from "@gw/interface";

/**
 * Why a TLS connection failed, from OpenSSL's reason or Node's errno.
 *
 * @param operation what the error begins with
 * @param error undefined if the server closed the connection without one
 * @param afterHandshake whether this side's handshake was complete
 */
export function tlsError(operation: string, error: unknown, afterHandshake: boolean): GatewayError {
  const reason = reasonOf(error);
  const failed = (code: "untrusted" | "certificate-refused" | "reset", what: string): GatewayError =>
    new GatewayError(code, `${operation}: ${what}${reason ? ` (${reason})` : ""}`, { cause: error });
  if (reason?.endsWith("alert handshake failure"))
    return failed(
      "certificate-refused",
      "the server rejects the handshake; it may require a client certificate",
    );
  if (reason && refusals.test(reason))
    return failed("certificate-refused", "the server requires a client certificate, or another one");
  if (reason && notTls.test(reason)) return failed("untrusted", "the server does not speak TLS");
  if (reason) return failed("untrusted", "no TLS handshake is possible");
  if (error !== undefined && !isClosed(error)) return GatewayError.from(error, operation);
  return failed(
    "reset",
    afterHandshake
      ? "the server closed the connection after the handshake; it may have rejected the client certificate"
      : "the server closed the connection during the handshake",
  );
}

/** Alerts about certificates (RFC 8446, 6.2). */
const refusals =
  /alert (?:(?:bad|unsupported|no) certificate|certificate (?:revoked|expired|unknown|required)|unknown ca|access denied)/i;

const notTls =
  /wrong version number|packet length too long|http request|https proxy request|bad record type/i;

/** OpenSSL's reason, which Node's versions put in different places. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("reason" in error && typeof error.reason === "string") return error.reason;
  const inMessage = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(messageOf(error))?.[1];
  const { code } = error as NodeJS.ErrnoException;
  return inMessage ?? (code === "EPROTO" || code?.startsWith("ERR_SSL_") ? messageOf(error) : undefined);
}

function isClosed(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}
