import type { SecureContext } from "node:tls";
import { GatewayError, messageOf } from "@gw/interface";
import { nodeCrypto, nodeTls } from "./lazily.js";

type Pem = string | Uint8Array;

/**
 * What a TLS client needs: whom it trusts, and who it is.
 *
 * @throws {GatewayError} `invalid-option` where OpenSSL would be silent, or would explain nothing
 */
export function secureContext(options: {
  readonly ca?: Pem | undefined;
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
}): SecureContext {
  const { ca, cert, key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw invalid(
      key === undefined ? "the client certificate has no key" : "the client's key has no certificate",
    );
  const cas = ca === undefined ? undefined : certificatesIn(ca, "the trusted CAs");
  if (cert !== undefined) certificatesIn(cert, "the client certificate");
  try {
    return nodeTls().createSecureContext({
      minVersion: "TLSv1.2",
      ...(cas && { ca: [...cas], allowPartialTrustChain: true }),
      ...(cert !== undefined && key !== undefined && { cert: textOf(cert), key: textOf(key) }),
    });
  } catch (error) {
    throw invalid(`the client certificate and its key cannot be used: ${messageOf(error)}`, error);
  }
}

/** Each certificate of a PEM by itself. @throws if there is none, or one that cannot be read */
function certificatesIn(pem: Pem, what: string): readonly string[] {
  const found = textOf(pem)
    .split(/(?=-----BEGIN )/)
    .filter(part => /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(part));
  if (found.length === 0) throw invalid(`${what}: there is no PEM certificate in it`);
  for (const [index, one] of found.entries())
    try {
      new (nodeCrypto().X509Certificate)(one);
    } catch (error) {
      throw invalid(`${what}: certificate ${index + 1} cannot be read: ${messageOf(error)}`, error);
    }
  return found;
}

function textOf(pem: Pem): string {
  return typeof pem === "string" ? pem : Buffer.from(pem).toString("utf8");
}

function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid-option", detail, { cause });
}
