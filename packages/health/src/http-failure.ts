import { GatewayError } from "@gw/interface";
import { handshakeFailure } from "./tls-failure.js";

/** What a question in HTTP failed with, in our codes; see `HttpClient.ask`. */
export function explained(error: unknown, doing: string, secure: boolean): GatewayError {
  if (error instanceof GatewayError)
    return error.detail.startsWith(doing)
      ? error
      : new GatewayError(error.code, `${doing}: ${error.detail}`, { cause: error });
  const { code = "", rawPacket } = error as { readonly code?: string; readonly rawPacket?: Buffer };
  const failed = (fault: "unhealthy" | "untrusted", what: string): GatewayError =>
    new GatewayError(fault, `${doing}: ${what}`, { cause: error });
  if (!secure && rawPacket?.[0] === tlsAlert) return failed("untrusted", "it speaks TLS, not plain text");
  if (code === "HPE_HEADER_OVERFLOW") return failed("unhealthy", "the headers of its answer do not end");
  if (code.startsWith("HPE_")) return failed("unhealthy", `what it answers is no HTTP (${code})`);
  // The refusal of a client certificate comes with the first answer (TLS 1.3).
  if (secure) return handshakeFailure(doing, error, true);
  return GatewayError.from(error, doing);
}

/** The type of a TLS record that holds an alert (RFC 8446, 5.1). */
const tlsAlert = 0x15;
